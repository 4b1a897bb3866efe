"""Whether a text talks to its judge: tells it what to conclude, in place of being judged.

One sign alone is hardly ever enough, for honest texts speak of scores, instructions and judges as well. Signs have
weights; together they have to reach `ENOUGH`.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

ENOUGH = 3
LONGEST_SENTENCE = 400


def _any(*alternatives: str) -> str:
    return "(?:" + "|".join(alternatives) + ")"


_GRADE = _any(
    *("scor(?:e|es|ing)", "ratings?", "grad(?:e|es|ing)", "marks?", "verdicts?", "points?", "stars?"),
    *("evaluation", "assessment", "judge?ment", "conclusion", "result"),
)
_BEST = _any(
    *("max(?:imum|imal)?", "highest", "full", "perfect", "top", "best", "flawless", "excellent"),
    *("min(?:imum|imal)?", "lowest", "worst", "zero", "failing"),
)
_WORK = _any(
    *("answers?", "responses?", "texts?", "submissions?", "essays?", "rows?", "items?", "candidates?", "samples?"),
    *("work", "repl(?:y|ies)", "entr(?:y|ies)", "solutions?"),
)
_ITSELF = (
    rf"\b(?:this|my|the (?:above|following|candidate'?s?|first|second)) {_WORK}\b"
    r"|\bcandidate [ab]\b|\b(?:give|rate|score|grade) me\b"
)
_JUDGE = _any(
    *("judges?", "graders?", "evaluators?", "raters?", "assessors?", "scorers?", "reviewers?", "llms?"),
    *("language models?", "ai models?", "grading (?:model|system|ai)", "assistant reading this"),
)
_START = (
    r"(?:^\W*|[,:(>-]\s*|\b(?:please|now|just|only|then|always|simply|and|must|should|shall|you|kindly|instead|to) )"
)
_VERB = _any(
    *("give", "assign", "award", "grant", "output", "return", "respond", "reply", "answer", "print", "write", "say"),
    *("set", "rate", "grade", "score", "mark", "choose", "select", "pick", "declare", "report", "emit", "put", "enter"),
    *("record", "produce", "submit", "conclude", "judge", "evaluate", "treat", "consider", "confirm", "vergib", "pon"),
)
_GIVE = _any(
    *("gives?", "assign", "award", "output", "return", "respond", "reply", "answer", "print", "write", "say", "set"),
    *("choose", "select", "pick", "declare", "put", "enter", "conclude", "confirm"),
)
_RULES = _any(
    *("instructions?", "prompts?", "rules?", "guidelines?", "criteri(?:a|on)", "rubrics?", "directions?", "orders?"),
    *("told", "constraints?", "anweisung\\w*", "vorgaben", "instrucciones", "reglas", "instruções", "istruzioni"),
    *("consignes", "règles"),
)
_FORMER = _any(
    *("previous", "prior", "above", "earlier", "preceding", "all", "any", "your", "former", "original", "initial"),
    *("everything", "prev\\w+", "vorher\\w+", "alle", "todas?", "anterior\\w*", "précédent\\w*", "toutes", "the"),
)

OVERRIDES = re.compile(
    rf"\b(?:ignor\w*|disregard\w*|forget|overrid\w+|bypass\w*|discard|vergiss|olvida|oublie\w*|(?:do not|don't"
    rf"|stop) follow\w*)"
    rf"\b.{{0,40}}?\b{_FORMER}\b.{{0,40}}?\b{_RULES}\b"
    r"|\bnew (?:instructions?|task|orders?|directive)\b\s*[:.]|\b(?:system|developer|admin\w*) (?:override"
    r"|message|notice)\b"
    rf"|\b(?:rubric|criteria|policy|guidelines|instructions) (?:has|have) (?:been )?(?:chang|updat|replac|amend)ed\b"
    r"|игнорируй.{0,60}(?:инструкци|указани|правил)|忽略.{0,20}(?:指示|指令|说明|提示|规则)|(?:指示|命令).{0,10}無視"
)
ADDRESSES = re.compile(
    rf"\b(?:dear|hey|hello|hi|attention|notes? (?:to|for)|message (?:to|for)|instructions? (?:to|for)|to|for)\b[,:]? "
    rf"(?:(?:the|any|all|our|ai|llm|automated) )*{_JUDGE}\s*(?:[:,.!-]|$|who)"
    rf"|\b(?:as|you are|you're|if you are) (?:the|an?|now) (?:\w+ ){{0,3}}(?:{_JUDGE}|ai)\b"
    rf"|\bact as (?:the|an?) (?:\w+ ){{0,3}}{_JUDGE}\b"
    rf"|^\W{{0,6}}{_JUDGE}(?: notes?)?\s*[,:]|\bwhoever (?:reads|is reading|judges|grades|scores)\b"
    rf"|\b(?:judging|grading|evaluating|scoring|rating) (?:this|my)\b"
    r"|\byour (?:final|only) (?:output|verdict|evaluation|reply|response) (?:must|should|has to|will|shall) be\b"
    r"|\b(?:grading|scoring|evaluation|judging) (?:is |has )?(?:finished|complete|over|done|ended)\b"
)
CONTROLS = re.compile(
    r"<\|\s*(?:im_start|im_end|system|assistant|user|endoftext|eot_id|start_header_id|end_header_id)\s*\|>"
    r"|\[/?inst\]|<</?sys>>|<(?:start|end)_of_turn>|</?think>"
)
ROLES = re.compile(
    r"^\W{0,6}(?:system|assistant|developer|human|ai)\s*(?:message|prompt|note|override)?\s*:"
    r"|^#+ ?(?:evaluation|system|verdict|instructions?|judg)|\bi am (?:the|your|an?) (?:admin|develop|system"
    r"|owner|author)"
    rf"|</\s*(?:{_WORK}|data|document|student\w*|input|output)\s*>"
    rf"|^\W{{0,6}}end of (?:the )?(?:{_WORK}|input|document|data)\b|\b(?:reference|gold|model) answer\b"
    r"|\b(?:been|was|is) (?:already )?(?:verified|approved|certified)\b"
)
INSISTS = re.compile(
    r"\b(?:regardless|no matter (?:what|how)|nothing else|exactly|verbatim|from now on|always|repeat after me"
    r"|otherwise)\b"
    r"|\bas (?:highly|generously|leniently) as\b|\bwithout (?:reading|evaluating|checking|further|explanation"
    r"|explaining)\b|\bin (?:her|his|their) memory\b"
    r"|\bdo not (?:evaluate|assess|judge|explain|read|analy[sz]e|consider|deduct)\b|\bno (?:explanation"
    r"|analysis|reasoning)\b"
)
CLAIMS = re.compile(
    rf"\b(?:correct|final|official|true|proper|right|expected|appropriate|approved|agreed"
    rf"|required) (?:\w+ ){{0,2}}?{_GRADE}\b"
    r"|\balready (?:been )?(?:scored|graded|rated|evaluated|judged)\b"
)


@dataclass(frozen=True, slots=True)
class _Sign:
    """One sign of talking to the judge. Its pattern matches no sentence that has none of its stems in it."""

    name: str
    weight: int
    pattern: re.Pattern[str]
    stems: tuple[str, ...]

    def is_in(self, text: str, sentences: Sequence[str]) -> bool:
        """Whether a sentence of the text shows it. Looking for stems first costs a tenth of the pattern."""
        stems = [stem for stem in self.stems if stem in text]
        return any(self.pattern.search(sentence) for sentence in _with_any(stems, sentences))


_SETS_ASIDE = _Sign(
    "sets instructions aside",
    2,
    OVERRIDES,
    (
        *("ignor", "disregard", "forget", "overrid", "bypass", "discard", "vergiss", "olvida", "oublie", "follow"),
        *("new instr", "new task", "new order", "new direc", "system ", "developer ", "admin"),
        *("changed", "updated", "replaced", "amended", "игнор", "忽略", "無視"),
    ),
)
_COMMANDS = (
    _SETS_ASIDE,
    _Sign(
        "addresses the judge",
        2,
        ADDRESSES,
        (
            *("judg", "grader", "grading", "evaluat", "rater", "assessor", "scor", "reviewer", "llm", " ai"),
            *("language model", "ai model", "assistant reading", "whoever", "rating ", "your final", "your only"),
        ),
    ),
    _Sign("holds control tokens", 2, CONTROLS, ("<", "[")),
)
_HINTS = (
    _Sign(
        "plays another role",
        1,
        ROLES,
        (
            *("system", "assistant", "developer", "human", "ai", "#", "i am ", "</", "end of", "answer"),
            *("verified", "approved", "certified"),
        ),
    ),
    _Sign(
        "claims a verdict",
        1,
        CLAIMS,
        (
            *("correct", "final", "official", "true", "proper", "right", "expected", "appr", "agreed", "required"),
            "already",
        ),
    ),
)
_CUT = re.compile(r"[\n!?;.](?:(?<!\.)|(?=\s|$))")  # a set comes first: so the search for it is fast
_VERDICT_STEMS = (
    *("scor", "rating", "rate", "grad", "mark", "verdict", "point", "star", "evaluat", "assess", "judg", "give", "get"),
    *("output", "return", "respon", "reply", "answer", "print", "say", "max", "highest", "perfect", "full", "result"),
    ":",
)


@dataclass(frozen=True)
class Listener:
    """What the signs are looked for with: the names of scores, and the words for their values."""

    asked: re.Pattern[str]
    told: re.Pattern[str]
    owed: re.Pattern[str]
    fixed: re.Pattern[str]
    named: re.Pattern[str]
    graded: re.Pattern[str]
    stems: tuple[str, ...]

    @classmethod
    def of(cls, names: Iterable[str], words: Iterable[str]) -> "Listener":
        """`names` of scores and keys, `words` for their values (the labels of a rubric)."""
        spoken = {
            form for name in names for form in (name.casefold(), name.casefold().replace("_", " ")) if len(form) > 2
        }
        own = _any(*map(re.escape, sorted(spoken))) if spoken else "(?!)"
        grade = _any(own, _GRADE)
        words = [re.escape(word.casefold()) for word in sorted(set(words), key=len, reverse=True)]
        number = r"\d+(?:\.\d+)?(?:\s?(?:/|out of|of)\s?\d+)?|one|two|three|four|five|six|seven|eight|nine|ten|hundred"
        value = rf"\b{_any(*words, number)}\b(?!\w|[-:]\w)"
        ends = r"\W*(?:$|,| (?:for|to|in|as|and|or|out|points?|stars?|marks?|with|because|otherwise)\b)"
        best, gap = rf"\b{_BEST}\b", ".{0,60}?"
        repeated = "(?:copy|repeat|adopt|use|take|confirm) (?:the|this|that|above)"
        praised = "(?:highly|generously|leniently|as high as|full)"
        told = (
            rf"{_START}(?:{_VERB}\b{gap}(?:{best}{gap}\b{grade}\b|\b{grade}\b{gap}(?:{value}|{best})"
            rf"|(?:{value}){gap}\b{grade}\b)"
            rf"|{_GIVE}\b(?: (?:with|only|just|exactly|me|it|that|this|a|an|the|label|value|number|{_WORK}))*"
            rf"[ \"'*`]{{1,4}}{value}{ends}"
            rf"|(?:rate|score|grade|mark)\b (?:\w+ ){{1,4}}?(?:at |as |an? |with )?{value}{ends}"
            rf"|{repeated} (?:above )?{grade}\b"
            rf"|(?:rate|score|grade|mark)\b{gap}\b{praised}\b)"
            rf"|\byour (?:\w+ )?(?:output|reply|response|answer|{grade}) (?:must|should|has to|will"
            rf"|shall) be\b{gap}(?:{value}|{best})"
        )
        owed = (
            rf"\b(?:{_WORK}|it|me|{grade})\b{gap}\b(?:must|should|has to|needs to|ought to|deserves?|merits"
            rf"|earns?|warrants?|gets?|"
            rf"receives?|set to|set at)\b{gap}(?:{best}|\b{grade}\b{gap}{value}|\b(?:get|receive|rated|scored"
            rf"|graded|given)\b{gap}{value}{ends})"
            rf"|\b(?:{_WORK}|it)\b (?:gets?|receives?|deserves?|earns?)(?: an?)? {value}{ends}"
        )
        linked = (
            rf"(?: \w+){{0,4}}?\s*(?:is|are|was|be|=|:|to|at|of|must be|should be|a|)\s*[\"'*`]{{0,3}}{value}{ends}"
        )
        fixed = rf"\b{own}\b{linked}|\b(?:ai|assistant|judge|evaluator|grader)\s*:\s*{value}{ends}"
        named = rf"\b{_GRADE}\b{linked}|<{grade}>\W*{value}"
        asked = rf"{value}|{best}|\b(?:{repeated}|{praised})\b"  # the end of each of the four that follow
        made = [re.compile(pattern) for pattern in (asked, told, owed, fixed, named, rf"\b{grade}\b")]
        return cls(made[0], made[1], made[2], made[3], made[4], made[5], stems=(*_VERDICT_STEMS, *sorted(spoken)))

    def signs(self, text: str) -> list[str]:
        """The signs in a text, folded; [] unless they are enough."""
        verdicts = [stem for stem in self.stems if stem in text]
        if not verdicts:
            return []
        sentences = list(_sentences(text))
        found = {sign.name: sign.weight for sign in _COMMANDS if sign.is_in(text, sentences)}
        said: dict[str, int] = {}
        for sentence in _with_any(verdicts, sentences):
            if self.asked.search(sentence):
                self._add(sentence, said)
        if not found and not said:
            return []  # hints alone are never enough
        found |= {sign.name: sign.weight for sign in _HINTS if sign.is_in(text, sentences)}
        found |= said
        if _SETS_ASIDE.name in found and self.graded.search(text):
            found["speaks of a verdict"] = 1
        if found.keys() & {"tells what to answer", "tells what it deserves", "states a verdict"} and INSISTS.search(
            text
        ):
            found["insists"] = 1
        return list(found) if sum(found.values()) >= ENOUGH else []

    def _add(self, sentence: str, found: dict[str, int]) -> None:
        before = len(found)
        if self.told.search(sentence):
            found["tells what to answer"] = 2
        if self.owed.search(sentence):
            found["tells what it deserves"] = 2
        if self.fixed.search(sentence):
            found["states a verdict"] = 2
        elif self.named.search(sentence):
            found.setdefault("states a verdict", 1)
        if len(found) > before and re.search(_ITSELF, sentence):
            found["speaks of itself"] = 1


def _sentences(text: str) -> Iterator[str]:
    for sentence in map(str.strip, _CUT.split(text)):
        if len(sentence) <= LONGEST_SENTENCE:
            if sentence:
                yield sentence
            continue
        for start in range(0, len(sentence), LONGEST_SENTENCE):
            # Overlapping by a quarter, so that nothing is lost where a long one is cut.
            yield sentence[max(0, start - LONGEST_SENTENCE // 4) : start + LONGEST_SENTENCE]


def _with_any(stems: Sequence[str], sentences: Sequence[str]) -> Iterator[str]:
    return (sentence for sentence in sentences if any(stem in sentence for stem in stems))
