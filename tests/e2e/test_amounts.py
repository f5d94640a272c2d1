"""Numbers that scripts write: as the language of the page does, and no small amount as zero."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.e2e.person import Person

WRITTEN = """async (numbers) => {
  const { amount, shortest } = await import("/static/js/format.js");
  return numbers.map((number) => [amount(number), shortest(number)]);
}"""


def test_no_amount_is_written_as_zero_unless_it_is(alice: Person) -> None:
    alice.open("/")
    written = dict(zip(numbers := (0, 0.0523, 0.5, 2.5, 90, 1200), alice.page.evaluate(WRITTEN, numbers), strict=True))
    assert written == {
        0: ["0.0", "0"],
        0.0523: ["0.052", "0.052"],
        0.5: ["0.50", "0.5"],
        2.5: ["2.5", "2.5"],
        90: ["90.0", "90"],
        1200: ["1,200.0", "1,200"],
    }


def test_numbers_are_written_as_the_language_of_the_page_does(alice: Person) -> None:
    with alice.other_device(locale="de") as german:
        german.open("/models/")
        written = german.page.evaluate(
            """async () => {
              const { amount, decimal, percent, shortest } = await import("/static/js/format.js");
              const { lossLabels } = await import("/static/js/chart.js");
              const amounts = [amount(0.0523), amount(12), shortest(0.0523), shortest(2.5)];
              return [...amounts, decimal(1.25, 3), decimal(0.9, 2, 0), percent(0.429), ...lossLabels([1, 1.25])];
            }"""
        )
        assert written == ["0,052", "12,0", "0,052", "2,5", "1,250", "0,9", "42\N{NO-BREAK SPACE}%", "1,00", "1,25"]
    assert alice.page.evaluate("async () => (await import('/static/js/format.js')).percent(0.999)") == "99%"


def test_the_sliders_of_a_bot_write_german_numbers(alice: Person) -> None:
    with alice.other_device(locale="de") as german:
        page = german.page
        german.open_base()
        expect(page.locator("[data-says=temperature]")).to_have_text("0,9 · natürlich")
        expect(page.locator("[type=range][name=temperature]")).to_have_attribute("aria-valuetext", "0,9, natürlich")
        page.locator("#id_max_characters").evaluate("field => { field.value = 4000 }")
        page.locator("#id_max_characters").dispatch_event("input")
        expect(page.get_by_text("bis zu 4.000 Zeichen")).to_have_count(1)
