"""What a statistic says, in plain words: what it measures, and how to read the value that was found."""

from typing import NamedTuple

from assay.ui.disagreement import Disagreement
from assay.ui.scales import Scale
from assay.ui.spreads import MINUS, brief, minus, signed
from assay.ui.templatetags.figures import number, percent
from assay_sdk.engine.agree import Agreement
from assay_sdk.engine.statistic import Statistic

FEW_ROWS = 30
CORRELATIONS = ((0.1, "negligible"), (0.4, "weak"), (0.7, "moderate"), (0.9, "strong"), (2.0, "very strong"))
"""Schober, Boer and Schwarte, Correlation Coefficients, Anesthesia and Analgesia 126, 2018."""
KAPPAS = ((0.2, "slight"), (0.4, "fair"), (0.6, "moderate"), (0.8, "substantial"), (2.0, "almost perfect"))
"""Landis and Koch, The measurement of observer agreement for categorical data, Biometrics 33, 1977."""
TONES = {
    "negligible": "bad", "weak": "bad", "slight": "bad", "none": "bad", "opposite": "bad", "fair": "warn",
    "moderate": "warn", "strong": "good", "very strong": "good", "substantial": "good", "almost perfect": "good",
}  # fmt: skip
HOW = {
    "opposite": "tend to put the rows in opposite orders",
    "negligible": "hardly agree on the order of the rows",
    "weak": "agree weakly on the order of the rows",
    "moderate": "agree moderately on the order of the rows",
    "strong": "agree strongly on the order of the rows",
    "very strong": "agree very strongly on the order of the rows",
}
MEANINGS = {
    "pearson": (
        "Pearson's r",
        f"Do the two rise and fall together, along a straight line? 1 is perfectly, 0 not at all, {MINUS}1 reversed.",
    ),
    "spearman": ("Spearman's ρ", "The same of the ranks: do both put the rows in the same order?"),
    "kendall": (
        "Kendall's τ-b",
        "Of two rows, how surely do both say the same one is better? Smaller than Spearman's ρ as a rule.",
    ),
    "accuracy": ("Exactly the same", "The share of rows on which both say exactly the same."),
    "kappa": ("Cohen's κ", "The same beyond what chance would give: 0 is chance, 1 perfect. Every miss counts alike."),
    "kappa_linear": ("Weighted κ, linear", "κ that forgives near misses: a miss weighs as many steps as it is off."),
    "kappa_quadratic": (
        "Weighted κ, quadratic",
        "κ that forgives near misses more: a miss weighs its steps squared.",
    ),
    "mae": ("Mean absolute error", "How far the judge is from people on a row, on average."),
    "rmse": ("Root mean square error", "The same, but large misses count more."),
    "bias": ("Bias", "Judge minus people, on average: above 0 the judge is kinder than people, below 0 stricter."),
}
ORDER = tuple(MEANINGS)


class Reading(NamedTuple):
    """A statistic with its name, what it means, its numbers as text, and what to think of it."""

    key: str
    name: str
    meaning: str
    value: str
    interval: str
    method: str
    verdict: str
    tone: str
    """Of the verdict: good, warn, bad, or nothing."""


def readings(found: Disagreement, scale: Scale) -> list[Reading]:
    """Return the statistics in the order in which they are best read."""
    agreement = found.agreement
    return [_reading(key, agreement.statistics[key], found, scale) for key in ORDER if key in agreement.statistics]


def headline(found: Disagreement, scale: Scale) -> str:
    """Return in a sentence or two how far the judge can stand in for people, as far as these rows tell."""
    agreement = found.agreement
    if not agreement.n:
        return "No row has both a judge's score and a rating by people, so there is nothing to compare."
    said = [_order(agreement), _same(agreement), _sides(found) if found.labelled else _lean(agreement, scale)]
    if agreement.n < FEW_ROWS:
        said.append(f"{agreement.n} rows are few: the intervals are wide, and a little too narrow at that.")
    return " ".join(part for part in said if part)


def beyond(found: Disagreement, scale: Scale) -> str:
    """Return a warning if people rate on a longer scale than the judge's; nothing if they do not."""
    if found.ends is None or scale.bounds is None:
        return ""
    (low, high), (least, most) = found.ends, scale.bounds
    if least <= low and high <= most:
        return ""
    return (
        f"People's ratings lie between {minus(low)} and {minus(high)}, the judge's scale goes from {minus(least)} to "
        f"{minus(most)}. If these are two scales, only the correlations mean something."
    )


def _order(agreement: Agreement) -> str:
    spearman = agreement.statistics.get("spearman")
    if spearman is None or spearman.value is None:
        return ""
    words, _ = _correlation(spearman)
    return f"The judge and people {HOW[words]} (Spearman's ρ {brief(spearman.value)}{_between(spearman)})."


def _same(agreement: Agreement) -> str:
    accuracy = agreement.statistics["accuracy"]
    if accuracy.value is None:
        return ""
    said = f"They say exactly the same on {percent(accuracy.value)} of the rows"
    kappa = agreement.statistics["kappa_quadratic"]
    if "spearman" in agreement.statistics or kappa.value is None:
        return f"{said}."
    word, _ = _agreed(kappa.value)
    return f"{said}; beyond chance and with near misses forgiven, their agreement is {word} (κ {brief(kappa.value)})."


def _sides(found: Disagreement) -> str:
    if not found.above and not found.below:
        return ""
    return f"The judge's label is the higher one on {number(found.above)} rows, the lower one on {number(found.below)}."


def _lean(agreement: Agreement, scale: Scale) -> str:
    bias = agreement.statistics.get("bias")
    if bias is None or bias.value is None:
        return ""
    if bias.low is None or bias.high is None or bias.low <= 0 <= bias.high:
        return "On average the judge is neither clearly kinder nor clearly stricter than people."
    side = "kinder" if bias.value > 0 else "stricter"
    return f"On average the judge is {side} than people, by {brief(abs(bias.value))}{_of_scale(bias.value, scale)}."


def _reading(key: str, found: Statistic, of: Disagreement, scale: Scale) -> Reading:
    name, meaning = MEANINGS[key]
    if found.value is None:
        return Reading(key, name, meaning, "undefined", "", "", f"undefined: {found.reason}", "")
    verdict, tone = _verdict(key, found, of, scale)
    value = signed(found.value) if key == "bias" else minus(found.value)
    interval = "" if found.low is None else f"{minus(found.low)} to {minus(found.high)}"
    return Reading(key, name, meaning, value, interval or (found.reason or ""), found.method or "", verdict, tone)


def _verdict(key: str, found: Statistic, of: Disagreement, scale: Scale) -> tuple[str, str]:
    value = found.value
    assert value is not None
    match key:
        case "pearson" | "spearman":
            word, tone = _correlation(found)
            return word + _doubt(found), tone
        case "kappa" | "kappa_linear" | "kappa_quadratic":
            word, tone = _agreed(value)
            return word + _doubt(found), tone
        case "accuracy":
            return _against_the_commonest(of.agreement), ""
        case "mae" | "rmse":
            return _of_scale(value, scale).strip(" ()"), ""
        case "bias":
            sure = found.low is not None and found.high is not None and not found.low <= 0 <= found.high
            return ("kinder than people" if value > 0 else "stricter than people") if sure else "no clear lean", ""
    return "", ""


def _correlation(found: Statistic) -> tuple[str, str]:
    value = found.value or 0.0
    return ("opposite", "bad") if value <= -CORRELATIONS[0][0] else _word(abs(value), CORRELATIONS)


def _agreed(kappa: float) -> tuple[str, str]:
    return ("none", "bad") if kappa <= 0 else _word(kappa, KAPPAS)


def _word(value: float, bands: tuple[tuple[float, str], ...]) -> tuple[str, str]:
    word = next(word for below, word in bands if value < below)
    return word, TONES[word]


def _doubt(found: Statistic) -> str:
    if found.low is not None and found.high is not None and found.low <= 0 <= found.high:
        return ", and may be chance: the interval holds 0"
    return ""


def _between(found: Statistic) -> str:
    return "" if found.low is None else f", 95 % interval {brief(found.low)} to {brief(found.high)}"


def _against_the_commonest(agreement: Agreement) -> str:
    if not agreement.confusion or not agreement.n:
        return ""
    most = max(range(len(agreement.confusion)), key=lambda place: sum(agreement.confusion[place]))
    category = agreement.categories[most]
    shown = category if isinstance(category, str) else minus(category)
    share = percent(sum(agreement.confusion[most]) / agreement.n)
    return f"always saying “{shown}”, people's most frequent rating, would come to {share}"


def _of_scale(value: float, scale: Scale) -> str:
    if scale.bounds is None or scale.bounds[0] == scale.bounds[1]:
        return ""
    low, high = scale.bounds
    return f" ({brief(100 * abs(value) / (high - low))} % of the scale from {minus(low)} to {minus(high)})"
