"""Stems of the words with which a text gives a model instructions, by language.

With them a text that tries to steer a language model is recognized, and so is its translation: what the source has of
ignoring, of what stands above, of instructions, of replying and of translating must be in the translation too.
"""

from __future__ import annotations

import re
from functools import cache

from distilmt.utils.languages import base_language

_STEMS = {
    "ar": "تجاهل|انس|إهمال; أعلاه|سابق|قبل; تعليم|إرشاد|أوامر|موجه|قواعد; أجب|رد|جواب|اكتب|قل|اطبع; ترجم",
    "cs": "ignor|zapome|přehlíž; výše|předchoz|předešl|dřívěj; instrukc|pokyn|prompt|příkaz|pravid; "
    "odpov|napiš|napsa|řekn|vypiš|vytisk; přelož|překlad|překlád",
    "da": "ignorer|glem|se bort; ovenstående|ovenfor|tidligere|forrige|foregående; "
    "instruktion|instruks|prompt|anvisning|regl|kommando; svar|skriv|sig\\b|udskriv; oversæt",
    "de": "ignor|vergiss|vergess|missacht|beacht|acht lassen; \\bob(?:en|ig)|vorher|vorig|voran|vorste|bisher|früher; "
    "anweis|instruktion|prompt|aufforder|eingabe|regel|befehl|vorgabe|anleitung; "
    "antwort|erwider|schreib|aus(?:gab|geb)|\\bgib|druck|\\bsag; übersetz",
    "el": "αγνο|αγνό|ξέχ|ξεχ|παράβλεψ|παραβλ; παραπάνω|προηγούμεν|πιο πάνω|ανωτέρω; οδηγί|εντολ|προτροπ|κανόν; "
    "απάντ|απαντ|γράψ|γράφ|\\bπες|\\bπείτε|εκτύπωσ|τύπωσ; μετάφρ|μεταφρ",
    "en": "ignor|disregard|forget|neglect; above|previous|\\bprior\\b|preceding|earlier; "
    "instruct|prompt|directive|guideline|\\brules?\\b|\\bcommands?\\b; "
    "answer|\\brepl(?:y|ies)|respon[ds]|\\boutput|\\bprint|\\bwrit|\\bsay\\b|\\btell\\b; translat",
    "es": "ignor|olvid|caso omiso|omit|pas(?:a|e)r? por alto; anterior|previ|arriba|preced; "
    "instrucci|indicaci|prompt|orden|\\bórden|directri|regla|comando; "
    "respond|respuest|contest|escrib|imprim|\\bdi(?:ga|les?)?\\b|decir|muestr|devuelv; traduc|traduz",
    "fi": "unohda|huomio|älä välitä|ohita|sivuuta; \\byllä|edell|aiem|aikais; ohje|kehot|kehoit|komen|sään; "
    "vasta|kirjoit|sano|tulosta; kään",
    "fr": "ignor|oubli|néglig|pas compte|abstraction; ci-dessus|précéd|antérieur|plus haut|au-dessus; "
    "instruct|consigne|invite|prompt|directive|règle|commande; "
    "répon|écri|affich|imprim|\\bdi(?:s|tes|re)\\b|renvo; tradu",
    "hi": "अनदेखा|नज़रअंदाज़|नजरअंदाज|भूल|उपेक्षा; ऊपर|उपरोक्त|पिछल|पूर्व|पहले; निर्देश|आदेश|नियम|प्रॉम्प्ट; "
    "उत्तर|जवाब|लिख|कह|बता|प्रिंट; अनुवाद",
    "hu": "figyelm|felejt|mellőz; fenti|előző|korábbi|megelőző; utasítás|prompt|szabály|parancs; "
    "válasz|felel|\\bír[jd]|mond|nyomtat; fordít",
    "id": "abaikan|lupakan; di atas|sebelum; instruksi|perintah|petunjuk|prompt|aturan; "
    "jawab|balas|tulis|katakan|cetak; terjemah",
    "it": "ignor|dimentic|trascur|(?:non|senza) ten\\w+ conto|scord; sopra|preceden|\\bprima\\b|anterior|suddett; "
    "istruzion|prompt|indicazion|direttiv|regol|comand; "
    "rispond|rispost|scriv|stamp|\\bdi(?:\\b|re|te|mmi)|mostra|restitu; tradu",
    "ja": "無視|忘れ|気にし; 上記|以上|上の|前の|以前|これまで|先の|先ほど; 指示|命令|プロンプト|指令|ルール|説明; "
    "答え|回答|返答|返信|応答|返事|書|言|出力|印刷; 翻訳|訳",
    "ko": "무시|잊; 위의|위에|이전|앞|상기; 지시|명령|프롬프트|지침|규칙; 답|응답|회신|출력|쓰|써|말하|인쇄; 번역",
    "nb": "ignorer|glem|se bort; ovenfor|ovenstående|tidligere|forrige|foregående; "
    "instruksjon|instruks|prompt|anvisning|regl|kommando; svar|skriv|\\bsi\\b; oversett",
    "nl": "neg[ae]|vergeet|vergeten; boven|vorige|voorgaande|eerder|voorafgaand; "
    "instruct|prompt|opdracht|aanwijzing|regel|commando; antwoord|schrij|\\bzeg|druk|geef|toon; vertaal|vertal",
    "pl": "ignor|zapomn|pomi[ńj]|pomin; powyż|poprzed|wcześniej; instrukc|polece|prompt|zasad|wytyczn; "
    "odpowi|napisz|napisa|powiedz|wypisz|wydrukuj; tłumac",
    "pt": "ignor|esqueç|esquec|desconsider|descart; acima|anterior|prévi|preced; "
    "instru|prompt|comando|diretri|regra|orden; "
    "respond|respost|escrev|imprim|\\bdiga|dizer|mostr|retorn; tradu",
    "ro": "ignor|uit[ăa]|nu (?:lua|ține); mai sus|anterior|preced; instruc|prompt|comenz|comand|regul|indica; "
    "răspun|scri|spune|afiș|tipăr; tradu",
    "ru": "игнорир|забуд|внимания|пренебре|пропуст; выше|предыдущ|прежн|предшеств|ранее; "
    "инструкц|указан|промпт|команд|правил|запрос|подсказк; "
    "ответ|отвеча|напиш|скаж|вывед|вывод|распечат; перев[её]|перевод",
    "sv": "ignorer|bortse|glöm|strunta; ovan|tidigare|föregående|förra; "
    "instruktion|anvisning|prompt|uppmaning|regl|kommando; svar|skriv|\\bsäg|återge; översätt",
    "tr": "yok say|görmezden|unut|dikkate alma|göz ardı; yukarıda|önceki|evvelki|daha önce; "
    "talimat|yönerge|komut|istem|kural; yanıt|cevap|yaz|söyle; çevir|tercüme",
    "uk": "ігнор|забуд|зважа|знехту; вище|попередн|раніше; інструкц|вказів|команд|правил|запит|підказ; "
    "відпов|напиш|скаж|вивед|роздрук; переклад|переклас",
    "vi": "bỏ qua|quên|phớt lờ; trên|trước; hướng dẫn|chỉ dẫn|lệnh|chỉ thị|quy tắc; trả lời|viết|nói|in ra; dịch",
    "zh": "忽略|忽视|无视|忽視|無視|忘记|忘掉|忘記|理会|理會; 以上|上述|上面|之前|先前|前面; "
    "指令|指示|提示|命令|说明|說明|规则|規則|要求; 回答|回复|回覆|回應|回应|输出|輸出|写|寫|说|說; 翻译|翻譯|译|譯",
}
"""Five patterns a language, in the order of `CONCEPTS`."""
CONCEPTS = ("ignore", "previous", "instruction", "reply", "translate")
_STEERING = re.compile(
    r"\b(?:reply|respond|answer|print|say)\b.{0,24}\b(?:only|just|exactly|nothing)\b"
    r"|\b(?:write|output) (?:only|just|exactly|nothing but) (?:the|this|a|an|[\"'“])"
    r"|\b(?:only|just)\b.{0,12}\b(?:reply|respond|answer|output|print|say|write|return)\b"
    r"|\b(?:do not|don(?:'|’)t|stop|instead of|rather than) translat|\bsystem (?:prompt|message)\b"
    r"|\byou are (?:now )?(?:an? )?(?:\w+ )?(?:AI\b|assistant|chat ?bot|language model|translator|DAN\b)"
    r"|\b(?:act|behave) as (?:an?|if)\b|\bpretend (?:to be|you)|\bjailbreak|\bnew (?:task|instructions?)\b"
    r"|<\|im_(?:start|end)\|>|\[/?INST\]|^\s*(?:system|assistant|user)\s*:",
    re.IGNORECASE,
)


@cache
def patterns(language: str) -> dict[str, re.Pattern[str]]:
    """A pattern of each concept in a language; none for a language that is not listed."""
    base = {"no": "nb"}.get(base_language(language), base_language(language))
    stems = _STEMS[base].split(";") if base in _STEMS else []
    return {name: re.compile(stem.strip(), re.IGNORECASE) for name, stem in zip(CONCEPTS, stems, strict=False)}


def concepts(text: str, language: str) -> set[str]:
    """The concepts that a text in a language names."""
    return {name for name, pattern in patterns(language).items() if pattern.search(text)}


def source_concepts(text: str, language: str) -> set[str]:
    """As `concepts`, also by English words: most of such texts are in English, wherever they stand."""
    return concepts(text, language) | concepts(text, "en")


def has_instructions(text: str, language: str) -> bool:
    """Whether a text gives a model instructions, in its language or in English."""
    for each in (language, "en"):
        named = concepts(text, each)
        if "ignore" in named and named & {"previous", "instruction"}:
            return True
    return bool(_STEERING.search(text))
