"""Charts of the reports."""

from drawing.charts import Dot, interval_chart


def test_figures_that_are_all_nothing_are_drawn_without_a_warning() -> None:
    drawn = interval_chart([Dot(name="contact", value=0.0, low=None, high=None, note="")], label="s", limits=(0.0, 0.0))
    assert "contact" in drawn
