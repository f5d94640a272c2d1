"""Points 4 and 5: choose, train, watch, and the ways to end a training early."""

from __future__ import annotations

import json
import re
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.e2e.conftest import Shelf
from tests.e2e.person import JOB, SECONDS, TRAINING, Person, epochs_shown
from tests.fakes.posts import make_posts


@pytest.fixture
def corpus(shelf: Shelf) -> str:
    return shelf.corpus


def of_chart(page: Page, does: str, argument: Any = None) -> Any:
    """Return the result of a JavaScript function of the page's module chart.js and the argument."""
    load = """async (argument) => {
        const script = document.querySelector("script[type=module][src*='training']");
        const chart = await import(new URL("chart.js", script.src).href);
        return (%s)(chart, argument);
    }"""
    return page.evaluate(load % does, argument)


def sample_epochs(page: Page) -> list[str]:
    return page.locator(".epoch-samples h3").all_inner_texts()


def test_the_estimate_follows_the_slider(alice: Person, tmp_path: Path) -> None:
    # Long enough that epochs make a difference on a fast machine.
    file = tmp_path / "long.txt"
    file.write_text("\n".join(make_posts(4000, seed=22)))
    alice.open("/corpora/new")
    alice.choose_file(file)
    alice.bring()
    alice.wait_for_corpus()
    expect(alice.page.locator("#estimate")).to_have_text(re.compile(r"About \d+ (s|min)"))
    before = alice.page.locator("#estimate").inner_text()
    # The tier says the same time, for the default.
    said = alice.page.locator(".start:has(input:checked) .start-time").inner_text()
    assert before.startswith(f"{said.capitalize()} on this machine.")
    alice.page.get_by_label("Epochs").fill("10")
    expect(alice.page.locator("#epochs-value")).to_have_text("10")
    expect(alice.page.locator("#estimate")).not_to_have_text(before)


def test_a_training_is_watched_live_through_a_reload_and_from_a_second_device(alice: Person, corpus: str) -> None:
    """The second device gets no socket, so its page polls and shows the same as the other."""
    # So many that it outlasts the test: several epochs may end between two looks at the page.
    epochs = [str(number) for number in range(1, 11)]
    alice.train(corpus, epochs=len(epochs), name="Watched")
    page = alice.page
    losses = page.locator("#losses tbody tr")
    expect(losses.first).to_be_visible(timeout=TRAINING)
    expect(page.locator(".epoch-samples").first).to_be_visible()
    expect(page).to_have_title(re.compile(r"^\d+% Train Watched"))

    page.reload()
    alice.stay()
    expect(losses.first).to_be_visible()
    assert epochs_shown(page)[0] == "1"
    with alice.other_device(viewport={"width": 390, "height": 800}) as phone:
        phone.page.route_web_socket("**/ws/**", lambda socket: socket.close())
        phone.open(page.url)
        phone.stay()
        expect(phone.page.locator("#line", has_text="Live connection lost.")).to_be_visible()
        for watcher in (alice, phone):
            watcher.wait_for_state("Done")
            assert epochs_shown(watcher.page) == epochs
            assert sample_epochs(watcher.page) == [f"After epoch {epoch}" for epoch in reversed(epochs)]
            expect(watcher.page.locator("#losses .best")).to_have_count(1)
            expect(watcher.page.locator("#chart canvas")).to_be_visible()
            expect(watcher.page.get_by_role("link", name="Open the bot")).to_be_visible()
        assert page.locator("#losses").inner_text() == phone.page.locator("#losses").inner_text()
        # The same openings in a column for each epoch. The keyboard and the curve find a column.
        heads, marked = page.locator("#continued thead button"), page.locator("#continued thead th.marked")
        expect(heads).to_have_text(["Before", *(f"Epoch {epoch}" for epoch in epochs)])
        heads.last.focus()
        expect(marked).to_have_text("Epoch 10")
        page.locator("#chart .u-over").hover(position={"x": 5, "y": 60})
        expect(marked).to_have_text("Before")
        expect(page.locator("link[rel=icon]")).to_have_attribute("href", re.compile("^data:image/svg"))
        table = phone.page.get_by_role("region", name="Losses by epoch")
        assert table.evaluate("region => region.scrollWidth <= region.clientWidth")
        phone.require_no_complaints()


def test_a_cancelled_training_ends_as_cancelled_and_a_waiting_one_knows_its_place(alice: Person) -> None:
    # So many posts that it outlasts what is done meanwhile.
    corpus = alice.paste(make_posts(1000, seed=23), "Many")
    first = alice.train(corpus, epochs=10, name="Cancelled")
    alice.train(corpus, epochs=10, name="Waiting")
    expect(alice.page.locator("#where")).to_have_text(re.compile("Next in the queue|Number 2 in the queue"))
    alice.page.get_by_role("button", name="Cancel").click()
    alice.wait_for_state("Cancelled", timeout=30 * SECONDS)

    alice.open(first)
    page = alice.page
    expect(page.locator("#losses tbody tr").first).to_be_visible(timeout=TRAINING)
    cancel, dialog = page.get_by_role("button", name="Cancel", exact=True), page.get_by_role("dialog")
    # By keyboard: the first answer keeps the training.
    cancel.press("Enter")
    expect(dialog.get_by_role("heading")).to_have_text("Cancel this training?")
    expect(dialog.get_by_role("button", name="Keep training")).to_be_focused()
    expect(dialog.get_by_role("button", name="Stop and keep the best")).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(cancel).to_be_focused()
    cancel.press("Enter")
    dialog.get_by_role("button", name="Cancel the training").press("Enter")
    alice.wait_for_state("Cancelled", timeout=30 * SECONDS)
    again = page.get_by_role("button", name="Try again")
    expect(again).to_be_visible()
    assert page.evaluate("document.activeElement !== document.body")
    # The page shows what is saved, now and after a reload, and a retry continues from there.
    shown = epochs_shown(page)
    kept = re.compile(rf"^Saved until \w+ \d\d:\d\d: {len(shown)} of 10 epochs. “Try again” continues from there.$")
    expect(page.locator("#phase")).to_have_text(kept)
    page.reload()
    alice.wait_for_state("Cancelled", timeout=30 * SECONDS)
    assert epochs_shown(page) == shown
    again.click()
    expect(page.locator("[data-live-state]")).to_have_text(re.compile("Waiting|Running"))
    assert epochs_shown(page)[: len(shown)] == shown
    expect(page.locator("#losses tbody tr").nth(len(shown))).to_be_visible(timeout=TRAINING)
    assert epochs_shown(page)[: len(shown) + 1] == [str(number) for number in range(1, len(shown) + 2)]
    alice.cancel()
    alice.open("/models/")
    expect(alice.page.get_by_role("link", name="Cancelled")).to_have_count(0)


def test_stop_and_keep_the_best_ends_as_succeeded_with_a_bot(alice: Person, shelf: Shelf) -> None:
    alice.open(shelf.job)
    alice.wait_for_state("Done", timeout=30 * SECONDS)
    expect(alice.page.locator("#phase")).to_have_text(re.compile(r"Stopped after \d of 10 epochs"))
    assert len(epochs_shown(alice.page)) < 10
    alice.page.get_by_role("link", name="Open the bot").click()
    alice.page.wait_for_url(shelf.model)


SNAPSHOT = re.compile(r'(<script id="job-snapshot"[^>]*>)(.*?)(</script>)', re.DOTALL)


def stopped(route: Route, *, phase: str, epochs: int) -> None:
    """Answer with the page of a fluent training that was asked to stop: its phase, and how many parts it has."""
    answer = route.fetch()

    def changed(found: re.Match[str]) -> str:
        snapshot = json.loads(found[2])
        model = snapshot["job"]["result"]["model"] if phase == "reporting" else None
        progress = {"epoch": 1, "epochs": 8, "step": 2, "steps": 9, "loss": 2.0, "trail": []}
        progress |= {"phase": phase, "fraction": 1 if model else 0.08, "seconds_left": 480, "model": model}
        snapshot["job"] |= {"state": "running", "stop_requested": True, "result": {}, "progress": progress}
        snapshot["events"] = [event for event in snapshot["events"] if event["kind"] == "epoch"][:epochs]
        return found[1] + json.dumps(snapshot).replace("<", "\\u003c") + found[3]

    body = SNAPSHOT.sub(changed, answer.text()).replace('data-unit="epoch"', 'data-unit="part"')
    route.fulfill(response=answer, body=body)


@pytest.mark.parametrize(
    ("phase", "epochs", "where", "then"),
    [
        ("training", 0, "Stopping", "What it has learned so far becomes the bot."),
        ("training", 1, "Stopping with the best part", "The best part so far becomes the bot."),
        (
            "reporting",
            1,
            "Writing the report card",
            "The bot is ready. It’s writing a hundred posts for its report card.",
        ),
    ],
)
def test_a_stopping_training_says_what_becomes_the_bot_and_no_time_left(
    desk: Person, shelf: Shelf, phase: str, epochs: int, where: str, then: str
) -> None:
    page = desk.page
    page.route_web_socket("**/ws/**", lambda socket: None)
    page.route("**/events?*", lambda route: route.abort())
    page.route(shelf.job, partial(stopped, phase=phase, epochs=epochs))
    desk.open(shelf.job)
    expect(page.locator("#where")).to_have_text(where)
    expect(page.locator("#phase")).to_have_text(then)
    expect(page.locator("#left")).to_have_text("–")
    expect(page.locator("#percent")).to_have_text("" if phase == "training" else "100%")
    expect(page).to_have_title(re.compile("^Train " if phase == "training" else "^100% Train "))


@pytest.mark.parametrize(
    ("is_stopped", "told"), [(True, r"^Stopped after \d of 10 parts\. The bot is from the best one\.$"), (False, "^$")]
)
def test_only_a_fluent_training_that_somebody_stopped_is_called_stopped(
    desk: Person, shelf: Shelf, is_stopped: bool, told: str
) -> None:
    def ended(route: Route) -> None:
        answer = route.fetch()
        body = answer.text().replace('data-unit="epoch"', 'data-unit="part"')
        flag = '"stop_requested": '
        assert f"{flag}true" in body
        route.fulfill(response=answer, body=body.replace(f"{flag}true", flag + json.dumps(is_stopped)))

    page = desk.page
    page.route_web_socket("**/ws/**", lambda socket: None)
    page.route("**/events?*", lambda route: route.abort())
    page.route(shelf.job, ended)
    desk.open(shelf.job)
    expect(page.locator("#where")).to_have_text("The bot is ready")
    expect(page.locator("#phase")).to_have_text(re.compile(told))


def test_the_train_form_is_walked_with_the_keyboard_alone(alice: Person, corpus: str) -> None:
    alice.open(corpus)
    page = alice.page
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    for _ in range(16):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.name") == "start":
            break
    expect(page.locator("[name=start]:checked")).to_be_focused()
    # Which bot is asked only of those who continue from one.
    which = page.get_by_label("Your bot", exact=True)
    expect(which).to_be_hidden()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    expect(which).to_be_focused()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("ArrowUp")
    expect(which).to_be_hidden()
    page.keyboard.press("Tab")
    expect(page.get_by_label("Epochs")).to_be_focused()
    page.keyboard.press("Home")
    expect(page.locator("#epochs-value")).to_have_text("1")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#epochs-value")).to_have_text("2")
    page.keyboard.press("Tab")
    page.keyboard.type("By keyboard")
    page.keyboard.press("Tab")
    expect(page.locator("#train-form summary")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Make the bot")).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url(JOB)
    expect(page.get_by_role("heading", level=1)).to_have_text("Train By keyboard")
    alice.cancel()


def test_a_button_pressed_twice_asks_once(alice: Person, corpus: str) -> None:
    held: list[Route] = []
    alice.open(corpus)
    # The answer is delayed, as on a slow line. Only then is there time to press again.
    alice.page.route(corpus, lambda route: held.append(route) if route.request.method == "POST" else route.continue_())
    press = "form => { for (const after of [0, 200]) setTimeout(() => form.requestSubmit(), after); }"
    alice.page.locator("#train-form").evaluate(press)
    alice.page.wait_for_timeout(800)
    assert len(held) == 1
    held[0].continue_()
    alice.page.wait_for_url(JOB)
    alice.page.unroute(corpus)
    alice.cancel()


def test_the_trail_of_the_loss_is_that_of_the_epochs_that_are_done_and_of_the_one_under_way(
    alice: Person, shelf: Shelf
) -> None:
    alice.open(shelf.job)
    trails = of_chart(
        alice.page,
        """({ LossChart }) => {
            const chart = new LossChart(document.getElementById("chart"), { isLive: true });
            const trail = () => chart.trails.flat().map(([at]) => at);
            const row = { epoch: 1, train_loss: 2, validation_loss: 2.2, trail: [[0.2, 3], [0.6, 2.4]] };
            const found = [];
            chart.show([], { at: 0.3, loss: 2.8, trail: [[0.2, 3]] }, 2);
            found.push(trail());
            chart.show([row], null, 2);
            found.push(trail());
            chart.show([row], { at: 1.5, loss: 2, trail: [[1.1, 2.1]] }, 2);
            found.push(trail());
            // Of an epoch that an earlier version has trained none is known.
            chart.show([{ ...row, trail: undefined }], null, 2);
            found.push(trail());
            return found;
        }""",
    )
    assert trails == [[0.2, 0.3], [0.2, 0.6], [0.2, 0.6, 1.1, 1.5], []]


@pytest.mark.parametrize(
    ("places", "labels"),
    [
        ([0, 0.25, 0.5], ["0.00", "0.25", "0.50"]),
        ([0.2, 0.30000000000000004], ["0.2", "0.3"]),
        ([1, 2], ["1.0", "2.0"]),
        ([0.185, 0.19], ["0.185", "0.190"]),
    ],
)
def test_the_axis_of_losses_says_where_its_lines_are(
    alice: Person, shelf: Shelf, places: list[float], labels: list[str]
) -> None:
    alice.open(shelf.job)
    assert of_chart(alice.page, "({ lossLabels }, places) => lossLabels(places)", places) == labels


def test_wrong_settings_are_shown_with_what_is_wrong(alice: Person, corpus: str) -> None:
    alice.open(corpus)
    page = alice.page
    page.get_by_text("More settings").click()
    page.locator("#train-form").evaluate("form => { form.noValidate = true; }")
    page.get_by_label("Dropout").fill("5")
    page.get_by_role("button", name="Make the bot").click()
    expect(page.get_by_role("alert").filter(has_text="Dropout")).to_be_visible()
    expect(page.get_by_label("Dropout")).to_have_value("5")
    expect(page.get_by_label("Dropout")).to_be_visible()
    # Else it would wait there as a draft.
    page.get_by_label("Dropout").fill("")
    page.reload()
    expect(page.get_by_label("Dropout")).to_have_value("")
