"""Extract the translation from the output of a language model: no reasoning, fences, labels, quotes and remarks.

Sources are single lines, so other lines of the output can be recognized. A character that the source contains (a
colon, quotation marks, a tag) is left in the translation.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from distilmt.teachers.quotation import without_quotes
from distilmt.teachers.response_wrappers import first_item, first_turn, from_json, without_source
from distilmt.utils.json_types import JsonMapping, JsonObject

_NAMES = r"(?:seed:)?(?:think(?:ing)?|thoughts?|reason(?:ing)?|reflection|analysis|scratchpad|deliberation)"
_OPEN = re.compile(rf"<{_NAMES}(?:\s[^<>]*)?>|\[THINK\]|◁think▷|<\|begin_of_thought\|>", re.IGNORECASE)
_CLOSE = re.compile(rf"</{_NAMES}\s*>|\[/THINK\]|◁/think▷|<\|end_of_thought\|>", re.IGNORECASE)
_CHANNEL = re.compile(r"<\|channel\|>\s*(\w+).*?<\|message\|>", re.DOTALL)
_PLAIN_CHANNEL = re.compile(r"^\s*analysis(?=[A-Z\s]).*?assistant\s*final(.*)$", re.DOTALL)
_CONTROL = re.compile(
    r"<\|[\w ]{2,40}\|>|<\|(?:start|end|return|message)\|>|</?(?:start|end)_of_turn>|</s>\s*$|<eos>\s*$|\[/INST\]"
)
_WRAPPER = re.compile(
    r"<(answer|output|translation|translated_text|target|result|final)>\s*(.*?)\s*(?:</\1>|$)", re.I | re.S
)
_FENCE = re.compile(r"^[ \t]*(```+|~~~+)[^\n`]*\n(.*?)(?:\n[ \t]*\1[ \t]*$|\Z)", re.DOTALL | re.MULTILINE)
_ONE_LINE_FENCE = re.compile(r"^(`{1,3})([^`]+)\1$")
_OPENER = re.compile(
    r"^\W{0,3}(?:sure|certainly|of course|absolutely|okay|ok|gladly|great|no problem|yes|here(?:'s|’s| is| are| you go)"
    r"|below is|the (?:\w+ ){0,3}translation|(?:\w+ )?translat(?:ion|ed)|this (?:translates|is)"
    r"|i(?:'d| would) translate|my translation|output|answer|result|target|final|let me)\b",
    re.IGNORECASE,
)
_LABEL = re.compile(
    r"^(?:\*\*|__)?(?:(?:final|best|the|my|suggested|possible|target|output|[a-zà-ÿ]{4,12}) )?(?:translation"
    r"|translated (?:text|sentence|version)|output|answer|result|traduzione|traduction|traducci[óo]n|tradu[çc][ãa]o"
    r"|übersetzung|vertaling|t[łl]umaczenie|перевод|переклад|översättning|oversettelse|oversættelse|překlad|çeviri|ترجمة|תרגום"
    r"|译文|翻译|翻譯|譯文|翻訳|訳文|訳|번역)(?: ?\([^()\n]{1,40}\)| (?:to|into|in|in die|en|in) [^:\n]{2,30})?"
    r"(?:\*\*|__)?\s*[:：](?:\*\*|__)?\s*",
    re.IGNORECASE,
)
_REMARK = re.compile(
    r"^\W{0,3}(?:note|notes|explanation|literal(?:ly)?|alternative(?:ly)?|alternatives|breakdown|context|or[:,]|comment"
    r"|please (?:note|let)|let me know|i hope|hope (?:this|that)|is there|feel free|if you|this translation|in this"
    r"|the (?:word|phrase|sentence|term|translation)|pronunciation|transliteration|back.?translation)\b",
    re.IGNORECASE,
)
_NOTE = (
    r"(?:nota(?: bene)?|not(?:e|es|ă)|n\.? ?b\.?|p\.? ?s\.?|remarques?|hinweis|anmerkung|opmerking|uwaga"
    r"|poznámka|pozn\.?|megjegyzés|observa(?:ção|ción)|merknad|anmärkning|bemærkning|huomautus|σημείωση|примечание|примітка|забележка"
    r"|ملاحظة|הערה|注意?|备注|備註|説明|说明|備考|참고)\s*[:：]"
)
_OWN_NOTE = re.compile(rf"^\W{{0,3}}{_NOTE}", re.IGNORECASE)
_PARENTHESIS = re.compile(r"[*_]{0,2}(?:\(.*\)|（.*）|\[.*\]|【.*】)[*_]{0,2}[.。]?")
_BRACKET = re.compile(r"[(（\[【]")
_TRAILING_NOTE = re.compile(
    rf"\s*(?:\(\s*{_NOTE}[^()]*\)|（\s*{_NOTE}[^（）]*）|\[\s*{_NOTE}[^\[\]]*\])\s*$", re.IGNORECASE
)
_REFUSAL = re.compile(
    r"^\W{0,3}(?:(?:i(?:'|’)?m|i am) (?:very |so )?(?:sorry|unable|not able|afraid)|(?:sorry|apologies)\b"
    r"|i (?:can(?:no|'|’)|apologi[sz]e|won(?:'|’)t|will not|must decline)|as an ai\b"
    r"|unfortunately\b|it (?:seems|looks|appears)\b"
    r"|(?:please|could you) provide|you (?:have|did)n(?:o|'|’)?t)",
    re.IGNORECASE,
)
_REFUSED = re.compile(
    r"\btranslat|\b(?:this|that|your) (?:request|content|text|type of)|\bassist with\b|\bas an ai\b|language model"
    r"|\bhelp (?:you )?with (?:this|that)|\bcomply\b|\bfulfil",
    re.IGNORECASE,
)
_ASSENT = re.compile(r"^(?:sure(?: thing)?|certainly|of course|absolutely|okay|got it)[!,.]+\s*", re.IGNORECASE)
_UNWRITABLE = re.compile("[\x00-\x08\x0e-\x1f\x7f\ud800-\udfff]")  # unpaired surrogates cannot be encoded
_CUT = {"length", "max_tokens", "max_output_tokens", "model_length"}
_FILTERED = {"content_filter", "safety", "refusal", "recitation", "blocklist", "prohibited_content", "error"}


@dataclass(frozen=True)
class Completion:
    """The translation in one choice of a chat completion."""

    text: str
    """The translation on one line; empty if there is none."""
    issue: str = ""
    """Why there is none: `cut_off`, `unfinished_thoughts`, `declined` or `empty`; `cleaned` if other text was removed
    around a translation."""
    removed: tuple[str, ...] = ()
    """What was removed: `reasoning`, `fences`, `wrappers`, `preambles` or `quotes`."""


def completion_of(choice: JsonMapping, source: str, language: str = "") -> Completion:
    """The translation in a choice of a chat completion.

    Args:
        choice: with `message` (or `text`) and `finish_reason`.
        source: the input text, one line.
        language: English name of the target language. For English, fewer lines count as remarks or refusals.

    Raises:
        TypeError, AttributeError, LookupError: it is not a choice of OpenAI's API.
    """
    output, issue = output_of(choice)
    return Completion("", issue) if issue else clean_output(output, source, language)


def output_of(choice: JsonMapping) -> tuple[str, str]:
    """The text of a choice of a chat completion, and why it is not used (as `Completion.issue`) or nothing.

    Raises:
        TypeError, AttributeError, LookupError: it is not a choice of OpenAI's API.
    """
    reason = str(choice.get("finish_reason") or "").lower()
    names = [name for name in ("message", "delta", "text", "finish_reason") if name in choice]
    message = {"content": choice["text"]} if names[0] == "text" else choice.get(names[0]) or {}
    if reason in _CUT:
        return "", "cut_off"
    if names[0] == "finish_reason":  # a choice without a message: a filter removed it
        return "", "declined" if reason in _FILTERED else "empty"
    if reason in _FILTERED or message.get("refusal"):
        return "", "declined"
    content = text_of(message.get("content"))
    if not content.strip() and (message.get("reasoning_content") or message.get("reasoning")):
        return "", "unfinished_thoughts"
    return content, ""


def text_of(content: object) -> str:
    """The text of a message's content: a string, null, or a list of parts, some of which are reasoning.

    Raises:
        TypeError: it is none of these.
    """
    if content is None or isinstance(content, str):
        return content or ""
    if isinstance(content, dict):
        content = [content]
    if not isinstance(content, list):
        raise TypeError("content is neither text nor a list of parts")
    return "".join(part if isinstance(part, str) else _text_of_part(part) for part in content)


def _text_of_part(part: JsonObject) -> str:
    if part.get("type", "text") not in ("text", "output_text"):
        return ""
    text = part.get("text", "")
    return str(text.get("value", "") if isinstance(text, dict) else text or "")


def clean_output(output: str, source: str, language: str = "") -> Completion:
    """The translation in an output, on one line; see `completion_of`."""
    text = without_thoughts(output, source)
    if text is None:
        return Completion("", "unfinished_thoughts")
    text = _CONTROL.sub("", first_turn(text, source)) if _CONTROL.search(source) is None else text
    if _is_refusal(text, source, language):
        return Completion("", "declined")
    stages = [("reasoning", output), ("", text)]
    for kind, stage in _STAGES:
        text = stage(text, source, language)
        stages.append((kind, text))
    line = " ".join(text.split())
    if not line or line == " ".join(output.split()):
        return Completion(line, "" if line else "empty")
    return Completion(line, "cleaned", _removed(stages))


def _removed(stages: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    """Kinds of the stages that changed more than spaces; the first entry names the step to the second one."""
    words = [" ".join(text.split()) for _, text in stages]
    kinds = [stages[0][0], *(kind for kind, _ in stages[2:])]
    changed = [kind for kind, before, after in zip(kinds, words[:-1], words[1:], strict=True) if before != after]
    return tuple(dict.fromkeys(changed))


def without_thoughts(output: str, source: str) -> str | None:
    """The text after the last reasoning block; None if one is not closed. The opening tag may be missing."""
    channels = list(_CHANNEL.finditer(output)) if "<|channel|>" not in source else []
    if channels:
        return output[channels[-1].end() :] if channels[-1].group(1).lower() == "final" else None
    if "final" not in source and (plain := _PLAIN_CHANNEL.match(output)):
        return plain.group(1)
    if _OPEN.search(source) or _CLOSE.search(source):
        return output
    ends = [match.end() for match in _CLOSE.finditer(output)]
    remainder = output[ends[-1] :] if ends else output
    return None if _OPEN.search(remainder) else remainder


def _is_refusal(text: str, source: str, language: str) -> bool:
    """Whether the output is a refusal in English; not if the source itself reads like one."""
    if language == "English" or _REFUSED.search(source):
        return bool(re.match(r"\W{0,3}as an ai\b", text, re.I)) and not re.search(r"\bIA\b|\bAI\b|\bKI\b", source)
    return bool(_REFUSAL.match(text) and _REFUSED.search(text[:400]))


def _unwrapped(text: str, source: str) -> str:
    """The content of `<translation>…</translation>`."""
    match = _WRAPPER.search(text)
    return match.group(2) if match and f"<{match.group(1)}" not in source else text


def _unfenced(text: str, source: str) -> str:
    """The content of the only fenced block, with any info string."""
    if "```" in source or "~~~" in source:
        return text
    blocks = _FENCE.findall(text)
    if len(blocks) == 1:
        return str(blocks[0][1])
    inline = _ONE_LINE_FENCE.match(text)
    return inline.group(2) if inline and "`" not in source else text


def _without_remarks(text: str, source: str, language: str) -> str:
    """Without the lines that repeat the source, introduce the translation or comment on it."""
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    labeled = [i for i, line in enumerate(lines) if _without_label(line, source, language) not in ("", line)]
    if labeled and _colons(source) == 0:
        lines = lines[labeled[0] :]
    elif len(lines) > 1 and _introduces(lines[0], source):
        lines = lines[1:]
    end = next((i for i, line in enumerate(lines) if i and _is_remark(line, source)), len(lines))
    text = "\n".join(lines[:end])
    return text if _BRACKET.search(source) else _TRAILING_NOTE.sub("", text)


def _introduces(line: str, source: str) -> bool:
    if line.rstrip("*_ ").endswith((":", "：")):
        return not source.rstrip().endswith((":", "：")) and (
            bool(_OPENER.match(line) or _LABEL.match(line)) or _colons(line) > _colons(source)
        )
    return bool(_ASSENT.match(line)) and not _ASSENT.match(source)


def _is_remark(line: str, source: str) -> bool:
    if _PARENTHESIS.fullmatch(line) and not _BRACKET.search(source):
        return True
    return any(remark.match(line) and not remark.match(source) for remark in (_REMARK, _OWN_NOTE))


def _colons(text: str) -> int:
    return text.count(":") + text.count("：")


def _without_label(text: str, source: str, language: str) -> str:
    """Without `Translation:`, the language's name or `Sure! Here is the translation:` before it on the same line."""
    text = text.strip()
    if language != "English" and not _ASSENT.match(source):
        text = text[match.end() :] if (match := _ASSENT.match(text)) and text[match.end() :] else text
    if _colons(text) <= _colons(source):
        return text
    if label := _LABEL.match(text) or _named(language).match(text):
        return text[label.end() :]
    head, _, remainder = text.replace("：", ":", 1).partition(":")
    is_opener = _OPENER.match(head) and re.search(r"translat|here|sure|version|\bin [A-Z]", head, re.IGNORECASE)
    return remainder.strip() if remainder.strip() and is_opener and len(head) < 120 else text


def _named(language: str) -> re.Pattern[str]:
    name = re.escape(language.split(" (")[0]) if language else "(?!)"
    return re.compile(rf"^(?:\*\*|\[)?{name}(?: (?:translation|version|text))?(?:\*\*|\])?\s*[:：](?:\*\*)?\s*", re.I)


_STAGES: tuple[tuple[str, Callable[[str, str, str], str]], ...] = (
    ("wrappers", lambda text, source, _: _unwrapped(text.strip(), source)),
    ("fences", lambda text, source, _: _unfenced(text.strip(), source)),
    ("wrappers", lambda text, source, language: _UNWRITABLE.sub("", from_json(text.strip(), source, language))),
    ("preambles", _without_remarks),
    ("wrappers", lambda text, source, _: first_item(without_source(text, source), source)),
    ("preambles", _without_label),
    ("quotes", lambda text, source, _: without_quotes(text, source)),
    ("preambles", _without_label),
)
"""What is removed around a translation, in this order, each given the text, the source and the target's name."""
