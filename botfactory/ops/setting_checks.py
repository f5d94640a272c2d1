"""Checks for `doctor` of unsafe settings, and of who can read the files."""

from __future__ import annotations

import os
from pathlib import Path

from django.conf import settings
from django.core.checks import ERROR, run_checks

from botfactory.ops.checks import Report

LOCAL = frozenset({"localhost", "127.0.0.1", "[::1]", "::1", ".localhost"})
#: Django's most serious findings: a guessable key, pages that show code, any host name.
GRAVE = frozenset({"security.W009", "security.W018", "security.W020"})
#: Findings that a proxy with HTTPS takes care of instead: redirects to HTTPS, and HSTS.
PROXYS = frozenset({"security.W004", "security.W008"})


def is_public() -> bool:
    """Return whether the pages answer under a name that other machines can reach."""
    return any(host not in LOCAL for host in settings.ALLOWED_HOSTS)


def safety(report: Report) -> None:
    if not is_public():
        report.ok("only this machine can open the pages (ALLOWED_HOSTS)")
    if "*" in settings.ALLOWED_HOSTS:
        report.problem(
            "ALLOWED_HOSTS is *, so an attacker can make the pages contain links to another site",
            "list the host names under which people open the pages",
        )
    if is_public() and not settings.HTTPS:
        report.warning(
            "other machines open the pages without HTTPS, so others on the network can read passwords and posts",
            "put a proxy with HTTPS in front, and set HTTPS=true (docs/install.md)",
        )
    if settings.CORS_ALLOW_ALL_ORIGINS:
        report.warning(
            "API_CORS_ORIGINS is *, so any web page can use the API with a token that its visitor enters",
            "list the sites that need it",
        )
    if len(settings.METRICS_TOKEN) < 16 and settings.METRICS_TOKEN:
        report.problem("METRICS_TOKEN is too short", "set it to the output of `openssl rand -hex 32`")
    if any(network.prefixlen == 0 for network in settings.METRICS_ADDRESSES):
        report.warning("METRICS_ADDRESSES lets everybody read the metrics", "list the address of your Prometheus")
    _deployment(report)


def _deployment(report: Report) -> None:
    """Report what `manage.py check --deploy` finds."""
    found = [message for message in run_checks(include_deployment_checks=True) if not message.is_silenced()]
    for message in found:
        what = f"{message.id}: {' '.join(str(message.msg).split())}"
        advice = " ".join(str(message.hint or "see this check in the Django docs").split())
        is_deployment = str(message.id).startswith("security.")
        if message.level >= ERROR and not is_deployment:
            report.problem(what, advice)
        elif not is_deployment:
            report.warning(what, advice)
        elif message.id == "security.W009" or (message.id in GRAVE and is_public()):
            report.problem(what, advice)
        elif settings.HTTPS and message.id in PROXYS:
            report.ok(f"{message.id} is up to the proxy: {what.partition(': ')[2].partition('. ')[0]}")
        elif is_public():
            report.warning(what, advice)
    if not is_public() and found:
        names = ", ".join(sorted(str(message.id) for message in found))
        report.ok(f"the other findings of `check --deploy` don't matter for one machine ({names})")
    if not found:
        report.ok("`check --deploy` has no findings")


def files(report: Report) -> None:
    """Report whether other accounts of this machine can read or change the product's files."""
    home = Path(settings.BOTFACTORY_HOME)
    if not home.is_dir() or not os.access(home, os.R_OK | os.W_OK | os.X_OK):
        report.problem(f"{home} isn't readable and writable", "set BOTFACTORY_HOME to a folder of this account")
        return
    bots = Path(settings.CHECKPOINTS_DIR) / "users"
    modes = [
        (home, 0o077, "other accounts of this machine can open it", "chmod 700"),
        (home / "secret_key", 0o077, "other accounts of this machine can forge sessions with it", "chmod 600"),
        (bots, 0o077, "other accounts of this machine can read posts that bots learned", "chmod 700"),
        (Path(settings.BASE_DIR) / ".env", 0o077, "other accounts of this machine can read its secrets", "chmod 600"),
    ]
    for path, forbidden, why, command in modes:
        if not path.exists():
            continue
        mode = path.stat().st_mode & 0o777
        if not mode & forbidden:
            report.ok(f"only this account can open {path}")
        elif mode & 0o022 or path.name == "secret_key":
            report.problem(f"{path} has mode {mode:o}: {why}", f"run `{command} {path}`")
        else:
            report.warning(f"{path} has mode {mode:o}: {why}", f"run `{command} {path}`")


def page_files(report: Report) -> None:
    """Report whether the files of the pages exist: the libraries from npm, and our own."""
    from django.contrib.staticfiles import finders

    missing = [str(folder) for folder in settings.PAGE_LIBRARIES.values() if not any(folder.glob("*"))]
    if missing:
        report.problem(f"page libraries aren't installed ({', '.join(missing)})", "run `make setup`")
    else:
        report.ok("the page libraries are installed")
    lost = [name for name in ("css/app.css", "js/app.js", "admin/css/base.css") if finders.find(name) is None]
    if lost:
        report.problem(f"static files are missing: {', '.join(lost)}", "restore the folder static/ from the repository")
    else:
        report.ok("the static files exist")
