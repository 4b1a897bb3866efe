"""A stand-in judge: a small OpenAI-compatible server that *looks like* an LLM judge and is none.

    python examples/standin_judge.py --port 0 --latency-ms 0

No model runs here. The "opinion" is a handful of text rules (length, words shared with the question, hedging, structure,
repetition) plus a fixed wobble taken from a hash. It is there so that the demo and the tests have a judge without a key and
without a network. The rules were tuned by hand on examples/data/helpfulness.jsonl, so their agreement with those ratings
says nothing about judging in general. Never use its scores for anything real.

The same request always gets the same answer, and it answers in the form that was asked for: a JSON schema (response_format,
guided_json or nvext.guided_json), JSON keys shown in the instructions, or else prose that ends in "RATING: n".
Routes: POST /v1/chat/completions, POST /v1/completions, GET /v1/models, /health, /stats and POST /stats/reset.
"""

import argparse
import ast
import asyncio
import hashlib
import json
import math
import re
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

NAME = "assay-stand-in-judge"
PROSE = "I read the response twice. It has its good and its weak sides, and I would rather not put a figure on it."
MAX_BODY = 16 * 1024 * 1024

# --- what was asked ---------------------------------------------------------------------------------------------------

LABELLED = re.compile(
    r"(?:user prompt|prompt|question|query|input)\s*:\s*(?P<question>.*?)\n\s*"
    r"(?:assistant response|assistant|response|answer|output|reply)\s*:\s*(?P<answer>.*?)"
    r"(?=\s*\n\s*\n\s*(?:please\s+)?(?:rate|score|judge|grade|evaluate|assess|respond|reply|return)\b|\s*\Z)",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True)
class Asked:
    """One request, read: the judge's instructions, and the question and answer it is to judge."""

    instructions: str
    question: str
    answer: str


def read_request(body: dict[str, Any]) -> Asked:
    """Split the rendered prompt; an item given whole (a dict in the text) counts by its prompt and response only."""
    system, text = "", str(body.get("prompt") or "")
    for message in body.get("messages") or []:
        content = message.get("content") or ""
        if not isinstance(content, str):
            content = "\n".join(str(part.get("text", "")) for part in content)
        if message.get("role") in ("system", "developer"):
            system += content + "\n"
        else:
            text += content + "\n"
    if labelled := LABELLED.search(text):
        rest = text[: labelled.start()] + text[labelled.end() :]
        return Asked(system + rest, labelled["question"].strip(), labelled["answer"].strip())
    for start in (match.start() for match in re.finditer(r"\{\s*['\"]", text)):
        for read in (json.loads, ast.literal_eval):
            with suppress(ValueError, SyntaxError, RecursionError, MemoryError):
                item = read(text[start : text.rindex("}") + 1])
                answer = next((item[key] for key in ("response", "output", "answer", "completion") if key in item), "")
                return Asked(system + text[:start], str(item.get("prompt", item.get("question", ""))), str(answer))
    return Asked(system, "", text.strip())


# --- the opinion ------------------------------------------------------------------------------------------------------

BRIEF = re.compile(r"(?:translate|convert|correct|name|what is \d|write a haiku|can you write a reg)", re.IGNORECASE)
HEDGES = re.compile(
    r"\b(?:it (?:really )?depends|everybody is different|right for you|suits you|cannot help|unable to|as an ai|i'm sorry|"
    r"many (?:ways|things)|very important|perhaps|make sure that|consult a)\b",
    re.IGNORECASE,
)
OVERSURE = re.compile(r"\b(?:perfectly|always|never|completely|all of the|most of|fascinating|has to|should be)\b", re.I)
CAREFUL = re.compile(
    r"\b(?:check|unless|avoid|prefer|before|instead|while|otherwise|but|if you|usually|still|either|than)\b|n't\b", re.I
)
SPECIFIC = re.compile(r"\d|`|[:;(]|\bfor example\b|\bbecause\b", re.IGNORECASE)
STRUCTURE = re.compile(r"^\s*(?:\d+\.|[-*]|```|[\w ]{1,20}:)", re.MULTILINE)


def wobble(*parts: str) -> float:
    """A fixed number from -1 to 1 for these texts: the same on every machine and in every run."""
    digest = hashlib.sha256("\0".join(parts).encode()).digest()
    return int.from_bytes(digest[:4], "big") / 0xFFFFFFFF * 2 - 1


def opinion(asked: Asked) -> float:
    """How good the answer looks, from 0 to 1; the tone of the instructions (strict, generous) bends it."""
    words = re.findall(r"\w+", asked.answer.lower())
    if not words:
        return 0.0
    wanted = {word[:4] for word in re.findall(r"\w{4,}", asked.question.lower())}
    echoed = len(wanted & {word[:4] for word in words}) / max(1, len(wanted))
    enough = 8 if BRIEF.match(asked.question) else 60
    score = 0.55 * min(1.0, math.log1p(len(set(words))) / math.log1p(enough))
    score -= 0.15 * abs(echoed - 0.4)  # off the topic, or parroting the question
    score += 0.03 * min(2, len(STRUCTURE.findall(asked.answer))) + 0.025 * min(5, len(SPECIFIC.findall(asked.answer)))
    score += 0.09 * min(4, len(CAREFUL.findall(asked.answer)))
    score -= 0.18 * min(2, len(HEDGES.findall(asked.answer))) + 0.2 * min(2, len(OVERSURE.findall(asked.answer)))
    score -= 0.4 * max(0.0, 0.55 - len(set(words)) / len(words))  # says the same words again and again
    score = (score - 0.2) / 0.6 + 0.08 * wobble(asked.question, asked.answer)
    score += 0.04 * wobble(asked.instructions) + 0.04 * wobble(asked.instructions, asked.answer)
    score = min(1.0, max(0.0, score))
    if re.search(r"\b(?:strict|harsh|severe|demanding|critical|unforgiving)\b", asked.instructions, re.IGNORECASE):
        return float(score**1.7)
    if re.search(r"\b(?:lenient|generous|kind|forgiving|encouraging)\b", asked.instructions, re.IGNORECASE):
        return float(score**0.6)
    return score
