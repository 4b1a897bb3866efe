"""A stand-in judge: a small OpenAI-compatible server that *looks like* an LLM judge and is none.

    python examples/standin_judge.py --port 0 --latency-ms 0

No model runs here. Its opinion is a handful of text rules (length, hedging, structure, repetition, words shared with
the question) and a fixed wobble taken from a hash. The rules were tuned by hand on examples/data/helpfulness.jsonl, so
their agreement with those ratings says nothing about judging in general. Never use its scores for anything real.

The same request always gets the same answer, in the form asked for: by JSON schema (response_format, guided_json or
nvext.guided_json), by JSON shown in the instructions, or else prose that ends in "RATING: n".
"""

import argparse
import ast
import asyncio
import hashlib
import json
import math
import re
import sys
from contextlib import suppress
from typing import Any, NamedTuple

PROSE = "I read the response twice. It has its good and its weak sides, and I would rather not put a figure on it."
LABELLED = re.compile(
    r"(?is)(?:prompt|question|query|input)\s*:\s*(?P<question>.*?)\n\s*"
    r"(?:assistant response|assistant|response|answer|output|reply)\s*:\s*(?P<answer>.*?)"
    r"(?=\s*\n\s*\n\s*(?:please )?(?:rate|score|judge|grade|evaluate|assess|respond|reply|return)\b|\s*\Z)"
)
Answer = tuple[int, dict[str, Any]]  # an HTTP status and the JSON that goes with it
RANGE = re.compile(r"(\d+)(?:\.\d+)?\s*(?:-|–|to|and)\s*(\d+)")


class Asked(NamedTuple):
    instructions: str  # what the judge is told
    question: str
    answer: str  # what it is to judge


def read_request(body: dict[str, Any]) -> Asked:
    """Split the rendered prompt; of an item given whole (a dict in the text) only prompt and response count."""
    messages = body.get("messages") or [{"role": "user", "content": body.get("prompt")}]
    system = "".join(message["content"] + "\n" for message in messages if message["role"] == "system")
    text = "\n".join(message["content"] for message in messages if message["role"] != "system")
    if found := LABELLED.search(text):
        told = system + text[: found.start()] + text[found.end() :]
        return Asked(told, found["question"].strip(), found["answer"].strip())
    for read in (json.loads, ast.literal_eval):
        with suppress(Exception):  # no item after all
            before, brace, rest = text.partition("{")
            item = read(brace + rest[: rest.rindex("}") + 1])
            return Asked(system + before, str(item.get("prompt", "")), str(item.get("response") or item["output"]))
    return Asked(system, "", text.strip())


BRIEF = re.compile(r"translate|convert|correct|name|what is \d|write a haiku|can you write a reg", re.IGNORECASE)
MARKS = [  # what a thing found in the text adds, and how often it counts
    (0.03, 2, re.compile(r"^\s*(?:\d+\.|[-*]|```|[\w ]{1,20}:)", re.MULTILINE)),
    (0.03, 5, re.compile(r"\d|`|[:;(]|\bfor example\b|\bbecause\b")),
    (0.09, 4, re.compile(r"\b(?:check|unless|avoid|prefer|before|instead|while|otherwise|but|if you|usually|than)\b")),
    (-0.2, 2, re.compile(r"\b(?:perfectly|always|never|completely|all of the|most of|fascinating|has to|should)\b")),
    (-0.2, 2, re.compile(r"\b(?:depends|everybody is|right for you|suits you|cannot help|unable to|sorry|as an ai)\b")),
    (-0.2, 2, re.compile(r"\b(?:many (?:ways|things)|very important|perhaps|make sure that)\b")),
]
TONE = re.compile(r"\b(?:(?P<strict>strict|harsh|severe|demanding)|lenient|generous|encouraging)\b", re.IGNORECASE)


def wobble(*parts: str) -> float:
    """A fixed number from -1 to 1 for these texts: the same on every machine and in every run."""
    return int(hashlib.sha256("\0".join(parts).encode()).hexdigest()[:8], 16) / 0xFFFFFFFF * 2 - 1


def opinion(asked: Asked) -> float:
    """How good the answer looks, from 0 to 1; the tone of the instructions (strict, generous) bends it."""
    text = asked.answer.lower()
    words = re.findall(r"\w+", text) or ["nothing"]
    wanted = {word[:4] for word in re.findall(r"\w{4,}", asked.question.lower())}
    echoed = len(wanted & {word[:4] for word in words}) / max(1, len(wanted))
    score = 0.6 * min(1.0, math.log1p(len(set(words))) / math.log1p(8 if BRIEF.match(asked.question) else 90))
    score -= 0.2 * abs(echoed - 0.3)  # off the topic, or parroting the question
    for weight, most, pattern in MARKS:
        score += weight * min(most, len(pattern.findall(text)))
    score -= 0.4 * max(0.0, 0.55 - len(set(words)) / len(words))  # the same words again and again
    score = (score - 0.2) / 0.6 + 0.06 * wobble(asked.question, asked.answer) + 0.05 * wobble(*asked)
    tone = TONE.search(asked.instructions)
    return float(min(1.0, max(0.0, score)) ** (1.0 if tone is None else 1.7 if tone["strict"] else 0.6))


def asked_schema(body: dict[str, Any], text: str, ignore_guided: bool) -> dict[str, Any] | None:
    """The schema to obey: from the request's own fields, else from JSON shown in the instructions; None is prose."""
    form = body.get("response_format") or {}
    guided = {} if ignore_guided else body.get("guided_json") or (body.get("nvext") or {}).get("guided_json")
    if schema := (form.get("json_schema") or {}).get("schema") or guided:
        return dict(schema)
    for brace in re.finditer(r"\{", text):
        with suppress(ValueError):
            if "properties" in (shown := json.JSONDecoder().raw_decode(text, brace.start())[0]):
                return dict(shown)
    if examples := re.findall(r"\{\s*\"[^{}]*\}", text):
        pairs = re.findall(r"\"([\w.-]+)\"\s*:\s*(\"[^\"]*\"|[^,}]*)", examples[-1])
        return {"properties": {key: hinted_schema(hint) for key, hint in pairs}}
    if form or re.search(r"\bjson\b", text, re.IGNORECASE):
        return {"properties": {key: {"type": "integer"} for key in re.findall(r"[\"'`](\w+)[\"'`]", text) or ["score"]}}
    return None


def hinted_schema(hint: str) -> dict[str, Any]:
    """What an example value such as `<0-4>`, `"yes|no"`, `3`, `true` or `"<why>"` stands for."""
    if found := RANGE.search(hint):
        return {"type": "integer", "minimum": int(found[1]), "maximum": int(found[2])}
    if "|" in hint and "true" not in hint:
        return {"enum": re.findall(r"[^|<>\"]+", hint)}
    return {"type": "boolean" if re.search("true|false|bool", hint) else "string" if '"' in hint else "integer"}


def fill(schema: dict[str, Any], view: float, asked: Asked, name: str = "") -> Any:
    """A value that obeys the schema and says `view` (0 to 1), a little different for every property's name."""
    if "properties" in schema:
        return {key: fill(value, view, asked, key) for key, value in schema["properties"].items()}
    view = min(1.0, max(0.0, view + 0.03 * wobble(name, asked.answer)))
    if choices := schema.get("enum"):
        best_first = re.match("excellent|good|great|yes|pass|correct|high|best|true", str(choices[0]), re.IGNORECASE)
        rank = min(len(choices) - 1, int(view * len(choices)))
        return choices[-1 - rank if best_first else rank]
    kind = schema.get("type")
    if kind in ("integer", "number"):
        spoken = RANGE.search(asked.instructions) or (None, 0, 4)
        low, high = schema.get("minimum", int(spoken[1])), schema.get("maximum", int(spoken[2]))
        value = low + view * (high - low)
        return round(value, 3) if kind == "number" else min(math.floor(high), max(math.ceil(low), round(value)))
    looks = ("of no use", "of little use", "of some use", "useful", "very useful")[min(4, int(view * 5))]
    return view >= 0.5 if kind == "boolean" else f"The response looks {looks} (said by a stand-in, not by a model)."


def reply_text(body: dict[str, Any], ignore_guided: bool) -> str:
    """JSON where it was asked for, otherwise a sentence and the rating, on the scale the instructions speak of."""
    asked = read_request(body)
    view = opinion(asked)
    if (schema := asked_schema(body, asked.instructions, ignore_guided)) is not None:
        return json.dumps(fill(schema, view, asked))
    return f"{fill({}, view, asked)}\nRATING: {fill({'type': 'integer'}, view, asked)}"


def completion(body: dict[str, Any], text: str, number: int, chat: bool) -> dict[str, Any]:
    """The reply in the OpenAI shape; a token is taken to be four characters, and max_tokens cuts."""
    limit = 4 * (body.get("max_completion_tokens") or body.get("max_tokens") or 4096)
    said = {"message": {"role": "assistant", "content": text[:limit]}} if chat else {"text": text[:limit]}
    read, wrote = len(json.dumps(body["messages" if chat else "prompt"])) // 4, math.ceil(len(text[:limit]) / 4)
    choice = {"index": 0, **said, "finish_reason": "length" if len(text) > limit else "stop"}
    usage = {"prompt_tokens": read, "completion_tokens": wrote, "total_tokens": read + wrote}
    about = {"id": f"stand-in-{number}", "object": "chat.completion" if chat else "text_completion", "created": 0}
    return about | {
        "model": "assay-stand-in-judge",
        "system_fingerprint": "stand-in",
        "choices": [choice],
        "usage": usage,
    }


def error(status: int, code: str, message: str) -> Answer:
    return status, {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": code}}


REFUSED_KEY = error(401, "invalid_api_key", "Incorrect API key provided.")


class StandIn:
    """Serves one port; counts calls and plays the faults given on the command line."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.stats = {"calls": 0, "in_flight": 0, "max_in_flight": 0}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, request after request; what is not HTTP/1.1 with a Content-Length ends it."""
        # Cancelled when the process ends: a connection that a caller keeps open is then let go of without a word.
        ending = (asyncio.IncompleteReadError, asyncio.LimitOverrunError, asyncio.CancelledError)
        with suppress(*ending, ConnectionError, ValueError):
            headers: dict[str, str] = {}
            while headers.get("connection", "").lower() != "close":
                start, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").rstrip().split("\r\n")
                headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
                raw = await reader.readexactly(int(headers.get("content-length", 0)))
                status, answer = await self.answer(start.rpartition(" ")[0], headers, raw, reader)
                data = json.dumps(answer).encode()
                head = f"HTTP/1.1 {status} -\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\n"
                head += "Retry-After: 0\r\n" if status == 429 or status >= 500 else ""
                writer.write(head.encode() + b"\r\n" + data)
                await writer.drain()
        writer.close()

    async def answer(self, route: str, headers: dict[str, str], raw: bytes, reader: asyncio.StreamReader) -> Answer:
        if route == "POST /stats/reset":
            self.stats.update(calls=0, max_in_flight=self.stats["in_flight"])
        if route in ("GET /health", "GET /stats", "POST /stats/reset"):
            return 200, {"status": "ok"} if route == "GET /health" else self.stats
        key_fits = self.options.api_key in (None, headers.get("authorization", "").removeprefix("Bearer "))
        if route == "GET /v1/models" and key_fits:
            return 200, {"object": "list", "data": [{"id": "assay-stand-in-judge", "object": "model"}]}
        if route not in ("POST /v1/chat/completions", "POST /v1/completions"):
            return error(404, "unknown_url", "There is nothing here.") if key_fits else REFUSED_KEY
        self.stats["calls"] += 1
        self.stats["in_flight"] += 1
        self.stats["max_in_flight"] = max(self.stats["max_in_flight"], self.stats["in_flight"])
        try:
            return await self.judge(self.stats["calls"], "chat" in route, raw, reader) if key_fits else REFUSED_KEY
        finally:
            self.stats["in_flight"] -= 1

    async def judge(self, number: int, chat: bool, raw: bytes, reader: asyncio.StreamReader) -> Answer:
        options = self.options
        hung_on = options.hang_on is not None and options.hang_on in raw.decode("utf-8", "replace")
        if hung_on or (options.hang_every and number % options.hang_every == 0):
            await reader.read()  # until the caller gives up
            raise ConnectionError
        await asyncio.sleep(options.latency_ms / 1000)
        if options.fail_every and number % options.fail_every == 0:
            return error(options.fail_status, "told_to_fail", "The stand-in judge was told to fail this call.")
        try:
            body = json.loads(raw)
            if body.get("model") == "missing-model":
                return error(404, "model_not_found", "The model `missing-model` does not exist.")
            if body.get("model") == "refuse-key":
                return REFUSED_KEY
            if options.refuse_response_format and body.get("response_format"):
                return error(400, "unsupported_parameter", "'response_format' is not supported with this model.")
            prose = options.prose_every and number % options.prose_every == 0
            return 200, completion(body, PROSE if prose else reply_text(body, options.ignore_guided), number, chat)
        except (AttributeError, KeyError, TypeError, ValueError) as mistake:
            return error(400, "invalid_request", f"This request makes no sense: {type(mistake).__name__}.")


async def main() -> None:
    parser = argparse.ArgumentParser(description="A stand-in judge for demos and tests. It is no model.")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--latency-ms", type=float, default=0.0, help="wait this long before each reply")
    parser.add_argument("--api-key", help="refuse calls that do not carry this bearer key")
    parser.add_argument("--fail-status", type=int, default=503, help="the status of --fail-every")
    for name, text in (("fail", "fails"), ("prose", "is answered without a score"), ("hang", "is never answered")):
        parser.add_argument(f"--{name}-every", type=int, default=0, metavar="N", help=f"every Nth call {text}")
    parser.add_argument("--hang-on", metavar="TEXT", help="never answer a call whose body holds this text")
    parser.add_argument("--refuse-response-format", action="store_true", help="400 to calls with response_format")
    parser.add_argument("--ignore-guided", action="store_true", help="overlook guided_json and nvext")
    parser.add_argument("--until-stdin-closes", action="store_true", help="end with the process that holds our stdin")
    options = parser.parse_args()
    server = await asyncio.start_server(StandIn(options).serve, "127.0.0.1", options.port, backlog=1024)
    print(f"stand-in judge listening on http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", flush=True)
    await (asyncio.to_thread(sys.stdin.read) if options.until_stdin_closes else server.serve_forever())


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(main())
