"""The pages of the tour, in its order. Each has a sentence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal


@dataclass(frozen=True, slots=True)
class Stop:
    """A page: its route as in tests/test_access.py, what it is called, and what it's for."""

    route: str
    title: str
    text: str
    #: Who sees it: a visitor, or the person who has the bot and is the administrator.
    eyes: Literal["visitor", "owner"] = "owner"

    @property
    def name(self) -> str:
        """Return the name of its pictures."""
        words = self.route.replace("{", "").replace("}", "").strip("/").replace("/", "-")
        return words or ("welcome" if self.eyes == "visitor" else "dashboard")


PARTS: Final[dict[str, list[Stop]]] = {
    "Getting in": [
        Stop("/", "Welcome", "What Bot Factory does, before you sign in.", "visitor"),
        Stop("/accounts/signup/", "Sign up", "A name and a password are enough.", "visitor"),
        Stop("/accounts/login/", "Sign in", "For people who have an account.", "visitor"),
        Stop("/accounts/password/reset/", "New password", "How to get a link if you forgot your password.", "visitor"),
    ],
    "From posts to a bot": [
        Stop("/", "Dashboard", "Your bots, your posts, and the work that's under way."),
        Stop("/corpora/new", "New bot", "Choose where the posts come from."),
        Stop("/corpora/{corpus}/", "Posts and training", "What came in, and how to train a bot on it."),
        Stop("/corpora/{corpus}/posts", "Every post", "Search the posts, and remove some."),
        Stop("/corpora/{corpus}/clean", "Cleaning rules", "Try a rule on your posts before you use it."),
        Stop(
            "/corpora/{corpus}/search",
            "Find the best settings",
            "Many short trainings find out what suits these posts.",
        ),
        Stop("/searches/{search}/", "A search", "Its trials as a table and in pictures, while it runs and afterwards."),
        Stop("/jobs/{job}/", "Training", "The loss curve and sample posts, while the bot learns and afterwards."),
        Stop("/corpora/", "All posts", "Every set of posts that you imported."),
        Stop("/corpora/blend", "Blend", "Mix several sets of posts into one."),
        Stop("/jobs/", "Jobs", "Everything that runs, waits or has ended."),
    ],
    "What a bot does": [
        Stop("/models/", "Bots", "All your bots."),
        Stop(
            "/models/{model}/", "A bot", "It writes new posts. Its tabs show the report card, the training and sharing."
        ),
        Stop(
            "/models/{model}/written/", "Everything it wrote", "All posts that it wrote for you, to read and to delete."
        ),
        Stop("/models/{model}/publish/", "Publish", "What the bot proposes, and what waits, is posted or was missed."),
        Stop(
            "/models/{model}/publish/connect/bluesky",
            "Connect an account",
            "Where else the bot’s posts appear.",
        ),
        Stop("/generations/{generation}/why", "Why this post?", "The real posts that are closest to it."),
        Stop("/generations/{generation}/keep", "Edit and keep", "Change a post and keep your version."),
        Stop("/kept/", "Kept posts", "The posts that you kept, to search and export."),
        Stop("/compare/", "Compare", "Bots and temperatures side by side."),
        Stop("/compare/curves", "Curves", "How the losses of your bots fell, in one chart."),
        Stop("/models/{model}/browser/", "In your browser", "The bot writes without the server, even offline."),
        Stop("/models/{model}/game", "Real or bot?", "Ten posts, five of them real. Can you tell?"),
        Stop("/gallery/", "Gallery", "Bots that people share with everyone here."),
        Stop("/gallery/{model}/", "A shared bot", "What others see of a bot that you share."),
        Stop("/gallery/{model}/game", "The game of a shared bot", "Others can play it, too."),
    ],
    "Your account": [
        Stop("/account/", "Account", "Your limits, and everything else about your account."),
        Stop("/accounts/email/", "Email", "Addresses for messages and new passwords."),
        Stop("/accounts/password/change/", "Password", "Choose another one."),
        Stop("/accounts/2fa/", "Two-factor sign-in", "Protect your account with your phone."),
        Stop("/accounts/sessions/", "Sessions", "Where you're signed in. You can end each session."),
        Stop("/tokens/", "API tokens", "A program uses a token instead of your password."),
        Stop("/webhooks/", "Webhooks", "Your server hears when a job ends."),
        Stop("/webhooks/{webhook}/", "A webhook", "Its messages, and how they were answered."),
        Stop("/accounts/reauthenticate/", "Confirm it's you", "Asks for your password before important changes."),
        Stop("/account/import", "Import your data", "Everything that you downloaded from another Bot Factory."),
        Stop("/account/delete", "Delete the account", "What will be deleted, before it is."),
        Stop("/accounts/logout/", "Sign out", "Ends this session."),
    ],
    "For programs and administrators": [
        Stop("/api/docs", "API reference", "Every operation, with an example to copy and a form to try it."),
        Stop("/admin/", "Administration", "Workers, jobs, failures, people and disks."),
        Stop("/admin/base-models/", "Base models", "The models that new bots start from."),
        Stop("/admin/base-models/search", "Find the best base model", "A search for the best network and settings."),
        Stop("/admin/base-models/train", "Train a base model", "Train another one, from your own files."),
        Stop("/admin/jobs/job/", "A list in the administration", "Everybody's jobs, to filter, cancel or try again."),
        Stop("/status/", "Server status", "Workers, queues, and your places in them."),
        Stop("/styleguide/", "Style guide", "The parts that every page is made of."),
    ],
}

#: Pages of a few words on the way to another, or with the same content as one of the tour.
NOT_SHOWN: Final = {
    "/example/",
    "/accounts/inactive/",
    "/gallery/{model}/browser/",
    "/models/{model}/publish/connect/mastodon",
    "/models/{model}/publish/connect/webhook",
    "/accounts/confirm-email/",
    "/accounts/confirm-email/{key}/",
    "/accounts/password/reset/done/",
    "/accounts/password/reset/key/{uidb36}-{key}/",
    "/accounts/password/reset/key/done/",
}


def page() -> str:
    """Return the text of docs/tour.md."""
    lines = [
        "# Tour",
        "",
        "Every page of Bot Factory, on a computer in light and on a phone in dark. `make screenshots` makes this page",
        "and its pictures with the example that comes with the product: the posts of Mrs. Kettle, who doesn't exist.",
    ]
    lines += ["", "| page | on a computer, on a phone |", "| --- | --- |"]
    for part, stops in PARTS.items():
        lines.append(f"| **{part}** | |")
        for stop in stops:
            pictures = [(f"{stop.name}.webp", 480), (f"{stop.name}-phone.webp", 140)]
            shown = [f'<img src="tour/{name}" width="{width}" alt="{stop.title}">' for name, width in pictures]
            lines.append(f"| **{stop.title}**<br>{stop.text} | {' '.join(shown)} |")
    return "\n".join(lines) + "\n"
