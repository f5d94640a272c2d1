"""Where a model comes from and what came from it: base, parents, the model itself, and further ones, as a tree."""

from __future__ import annotations

import uuid
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import Any

from django.utils.translation import gettext as _

from models_app.bots.rows import TrainedModel
from models_app.sharing import access
from models_app.sharing.rights import Right, rights_of


@dataclass(frozen=True, slots=True)
class Node:
    """A model in the tree. model: None for one that is deleted, or that the viewer may not see."""

    name: str
    model: TrainedModel | None = None
    is_this: bool = False
    children: tuple[Node, ...] = ()


def lineage_of(user: Any, model: TrainedModel) -> Node:
    """Return the tree: the models that this one came from, in a line, then all bots of `user` that came from it."""
    own = {found.pk: found for found in access.models_for_user(user)}
    children: dict[uuid.UUID, list[TrainedModel]] = defaultdict(list)
    for found in sorted(own.values(), key=lambda found: found.created_at):
        if found.parent_id is not None:
            children[found.parent_id].append(found)

    def below(of: TrainedModel) -> Node:
        return Node(of.name, of, children=tuple(below(child) for child in children[of.pk]))

    node, step = replace(below(model), is_this=True), model
    while step.parent_id is not None:
        parent = own.get(step.parent_id) or step.parent
        assert parent is not None
        may_see = Right.ORIGIN in rights_of(user, parent)
        name, seen = (parent.name, parent) if may_see else (_("Another person’s bot"), None)
        node, step = Node(name, seen, children=(node,)), parent
    if step.parent_name and step.owner_id == user.pk:
        # The name outlives the model.
        node = Node(_("%(name)s (deleted)") % {"name": step.parent_name}, children=(node,))
    return node
