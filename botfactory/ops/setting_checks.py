"""The doctor on settings that are unsafe where others can reach the pages, and on who may read the files."""

from __future__ import annotations

import os
from pathlib import Path

from django.conf import settings
from django.core.checks import ERROR, run_checks

from botfactory.ops.checks import Report

LOCAL = frozenset({"localhost", "127.0.0.1", "[::1]", "::1", ".localhost"})
#: Of Django's findings those that give the house away: a guessable key, pages that show code, any name.
GRAVE = frozenset({"security.W009", "security.W018", "security.W020"})
#: What a proxy that speaks HTTPS does rather than Django: sending browsers on to HTTPS, and telling them to stay there.
PROXYS = frozenset({"security.W004", "security.W008"})


def is_public() -> bool:
    """Whether the pages answer under a name by which other machines reach them."""
    return any(host not in LOCAL for host in settings.ALLOWED_HOSTS)


def safety(report: Report) -> None:
    if not is_public():
        report.ok("the pages are for this machine alone (ALLOWED_HOSTS)")
    if "*" in settings.ALLOWED_HOSTS:
        report.problem(
            "ALLOWED_HOSTS is *: whoever sends people a link with another name can make the pages write it",
            "name the addresses under which people open the pages",
        )
    if is_public() and not settings.HTTPS:
        report.warning(
            "others reach the pages without HTTPS: passwords and posts travel readable",
            "put a proxy that speaks HTTPS in front and set HTTPS=true (docs/install.md)",
        )
    if settings.CORS_ALLOW_ALL_ORIGINS:
        report.warning(
            "API_CORS_ORIGINS is *: every web page may use the API with a token that its visitor gave it",
            "name the sites that need it",
        )
    if len(settings.METRICS_TOKEN) < 16 and settings.METRICS_TOKEN:
        report.problem("METRICS_TOKEN is short enough to guess", "set it to the output of `openssl rand -hex 32`")
    if any(network.prefixlen == 0 for network in settings.METRICS_ADDRESSES):
        report.warning("METRICS_ADDRESSES lets everybody read the metrics", "name the address of your Prometheus")
    _deployment(report)


def _deployment(report: Report) -> None:
    """What `manage.py check --deploy` says."""
    found = [message for message in run_checks(include_deployment_checks=True) if not message.is_silenced()]
    for message in found:
        what = f"{message.id}: {' '.join(str(message.msg).split())}"
        advice = " ".join(str(message.hint or "see Django's documentation of this check").split())
        is_deployment = str(message.id).startswith("security.")
        if message.level >= ERROR and not is_deployment:
            report.problem(what, advice)
        elif not is_deployment:
            report.warning(what, advice)
        elif message.id == "security.W009" or (message.id in GRAVE and is_public()):
            report.problem(what, advice)
        elif settings.HTTPS and message.id in PROXYS:
            report.ok(f"{message.id} is the proxy's to do: {what.partition(': ')[2].partition('. ')[0]}")
        elif is_public():
            report.warning(what, advice)
    if not is_public() and found:
        names = ", ".join(sorted(str(message.id) for message in found))
        report.ok(f"`check --deploy` was looked at ({names}): none of the rest matters on one machine")
    if not found:
        report.ok("`check --deploy` finds nothing")


def files(report: Report) -> None:
    """Who else on this machine may read or change what is kept."""
    home = Path(settings.BOTFACTORY_HOME)
    if not home.is_dir() or not os.access(home, os.R_OK | os.W_OK | os.X_OK):
        report.problem(f"{home} cannot be read and written", "set BOTFACTORY_HOME to a folder of this account")
        return
    modes = [
        (home, 0o077, "other accounts of this machine can look into it", "chmod 700"),
        (home / "secret_key", 0o077, "other accounts of this machine can sign sessions with it", "chmod 600"),
        (Path(settings.BASE_DIR) / ".env", 0o077, "other accounts of this machine can read its secrets", "chmod 600"),
    ]
    for path, forbidden, why, command in modes:
        if not path.exists():
            continue
        mode = path.stat().st_mode & 0o777
        if not mode & forbidden:
            report.ok(f"{path} is for this account alone")
        elif mode & 0o022 or path.name == "secret_key":
            report.problem(f"{path} has mode {mode:o}: {why}", f"{command} {path}")
        else:
            report.warning(f"{path} has mode {mode:o}: {why}", f"{command} {path}")


def page_files(report: Report) -> None:
    """What the pages are made of is there: the libraries of npm, and our own files."""
    from django.contrib.staticfiles import finders

    missing = [str(folder) for folder in settings.PAGE_LIBRARIES.values() if not any(folder.glob("*"))]
    if missing:
        report.problem(f"the pages' libraries are not installed ({', '.join(missing)})", "run `make setup`")
    else:
        report.ok("the pages' libraries are installed")
    lost = [name for name in ("css/app.css", "js/app.js", "admin/css/base.css") if finders.find(name) is None]
    if lost:
        report.problem(f"static files are missing: {', '.join(lost)}", "restore the folder static/ from the repository")
    else:
        report.ok("the static files are there")
