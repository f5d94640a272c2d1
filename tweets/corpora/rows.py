"""Write posts to the database in bulk. Model instances would cost more time than everything else."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import connection

from tweets.models import Corpus, Post
from tweets.sources import base


def insert(corpus: Corpus, posts: Iterable[base.Post]) -> int:
    """Insert the posts, not cleaned yet, except those whose key already exists. Return how many are new."""
    moment = connection.ops.adapt_datetimefield_value
    given = ["key", "text", "posted_at", "is_repost", "is_reply", "is_quote", "has_warning"]
    rows = [
        (post.key, post.text, moment(post.created_at), post.is_repost, post.is_reply, post.is_quote, post.has_warning)
        for post in posts
    ]
    if not rows:
        return 0
    fields = {field.attname: field for field in Post._meta.concrete_fields if not field.primary_key}
    others = [name for name in fields if name not in given]
    values = {name: fields[name].get_db_prep_save(fields[name].get_default(), connection) for name in others}
    values["corpus_id"] = fields["corpus_id"].get_db_prep_save(corpus.pk, connection)
    same = tuple(values[name] for name in others)
    quoted = connection.ops.quote_name
    columns = ", ".join(quoted(fields[name].column or name) for name in (*given, *others))
    places = ", ".join(["%s"] * len(fields))
    with connection.cursor() as cursor:
        cursor.executemany(
            f"INSERT INTO {quoted(Post._meta.db_table)} ({columns}) VALUES ({places}) ON CONFLICT DO NOTHING",
            [row + same for row in rows],
        )
        return int(cursor.rowcount)


def write_outcomes(changed: list[tuple[str, str, int]]) -> None:
    """Write the result of cleaning, (cleaned, dropped, pk) of each post, into its row."""
    table = connection.ops.quote_name(Post._meta.db_table)
    with connection.cursor() as cursor:
        cursor.executemany(f"UPDATE {table} SET cleaned = %s, dropped = %s WHERE id = %s", changed)
