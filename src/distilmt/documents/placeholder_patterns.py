"""Patterns of placeholders, for `re.VERBOSE`; `placeholders.Grammar` selects those of a text."""

from __future__ import annotations

ADDRESS = r"""
    \b(?:https?|ftp|file)://[^\s<>"'`]*[^\s<>"'`.,;:!?)\]}]
  | \bwww\.[\w-]{1,64}\.[^\s<>"'`]*[^\s<>"'`.,;:!?)\]}]
  | (?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,64}(?:\.[\w-]{1,64}){1,8}
"""
_FOLDER = r"\\(?:[\w.~$()+-]{1,64}(?:[ ][\w.~$()+-]{1,64}){0,3}(?=\\)|[\w.~$()*+-]{0,255})"
CODE = rf"""
    `[^`\n]{{1,200}}`
  | (?<![\w-])(?:--[A-Za-z][\w-]{{0,63}}|-[A-Za-z](?![\w-]))
  | (?<![\w.~/-])(?:~|\.{{1,2}})?/[\w.~-]{{1,255}}(?:/[\w.~-]{{0,255}}){{0,40}}(?<=\w)
  | (?<![\w\\])(?:[A-Za-z]:|\\\\[\w.$-]{{1,64}})(?:{_FOLDER}){{1,40}}(?<=[\w\\])
  | (?<!\w)__[A-Za-z][A-Za-z0-9]{{0,63}}(?:_[A-Za-z0-9]{{1,63}}){{0,8}}__(?!\w)
"""
NAMED = r"""
    %(?:\([^()\s]{1,64}\)|\d{1,3}\$|-?\d{0,4}<(?!PRI)\w{1,64}>)(?:'[^\d\s](?=\d)|[-+\#0']{0,5})(?:\d{1,4}|\*(?:\d{1,3}\$)?)?
        (?:\.(?:\d{1,4}|\*(?:\d{1,3}\$)?)?)?(?:hh|h|ll|l|z)?[A-Za-z@]
  | %[-+\#0]{0,5}(?:\[\d{1,2}\][*]?\.?\d{0,4}){1,3}[A-Za-z]
  | \$\([^()\n]{1,100}\) | \$\[[^\[\]\n]{1,64}\]
  | \\?\${1,2}[A-Za-z_]\w*(?:\$(?![\w{]))?
  | &(?:\#\d{1,7}|\#[xX][0-9A-Fa-f]{1,6}|(?:nbsp|amp|lt|gt|quot|apos|copy|reg|trade|hellip|[mn]dash|shy
        |[lr]aquo|[lr]s?a?quo|[lr]dquo|bull|middot|times|euro));
  | (?<!\w)&[A-Za-z][\w.-]{1,63};
  | (?<![\w\#])(?:\#[A-Za-z_]\w{0,63}\#|\#\#[A-Za-z_]\w{0,63}\#\#)(?![\w\#])
  | \x1b(?:\[[\d;?]{0,20}[A-Za-z]|[()*+%\#][A-Za-z0-9])  # colors and character sets of terminals
  | [\x00-\x08\x0e-\x1b\x7f\ufffe\uffff]{1,20}
  | (?<![\w@.+-])@[A-Za-z_]\w{0,63}(?:\([^()\n]{0,200}\)|(?:[.:-]\w{1,64}){0,8}(?:/[\w.-]{0,64}\w)?)
"""
_SIZE = r"(?:hh|h|ll|l|L|j|z|Z|t|q|I64|I32|w\d{1,3})?"
_WIDTH = r"(?:\d{1,4}|\*)?(?:\.(?:\d{1,4}|\*)?)?"
_CONVERSION = "[diouxXeEfFgGaAcCsSpn@]"
# `%name%` of Symfony, Twig and Windows, but not two adjacent directives (`%s%-5d`).
PERCENT_NAME = r"""
    %%[A-Za-z_]\w{0,63}%%
  | (?<![\d%])%[A-Za-z_](?:[\w.()-]{0,62}[A-Za-z0-9)])%(?![\w%(\[{<*@]|[-+\#.']{1,3}\d)(?:\\[\w.-]{1,64}){0,20}(?<![.])
"""
# A percent sign after a number is text if a letter follows (`100%ig`), and so is one before a space.
# A name of three letters or more, such as Drupal's `%name`, is one placeholder: not `%n` and `ame`.
PRINTF = {
    "program": rf"""
    %% | %[-+\#0'I]{{0,5}}{_WIDTH}{_SIZE}<PRI\w{{1,12}}>
      | (?<!\d)%(?!{_SIZE}{_CONVERSION}(?![A-Za-z0-9_]))[A-Za-z_][A-Za-z0-9_]{{2,63}}
      | (?<!\d)%[-+\#0'I]{{0,5}}{_WIDTH}{_SIZE}{_CONVERSION}
      | (?<!\d)%[-+\#0_^]{{0,5}}{_WIDTH}[A-Za-z](?![A-Za-z0-9])
      | (?<=\d)%{_SIZE}[diouxXeEfFgGaAcCsSp@](?![A-Za-z'])
      | (?<=[^\d\s][ ])%[ ][dioxXs](?!\w)
    """,
    "full": rf"""
    %% | %[-+\#0'I_,(\ ]{{0,6}}(?:'.|[*])?{_WIDTH}{_SIZE}(?:<[A-Za-z]\w{{0,15}}>|[A-Za-z@])
      | %\[\d{{1,2}}\][-+\#0\ ]{{0,5}}{_WIDTH}[A-Za-z] | %[<>']
    """,
    "none": r"(?!)",
}
QT = r"(?<![\d%])%(?:L?\d{1,2}(?!\d)%?|L?n(?![A-Za-z]))"
PROGRAM = r"""
    \$\d{1,2}(?!\d|[.,]\d)
  | (?<![\w:/.)]):[A-Za-z]\w*(?![\w:])
  | @(?:\.\w{1,32})?:(?:\([\w.-]{1,99}\)|[\w.-]{0,99}\w)
  | (?<![\w!])![A-Za-z_]\w{1,63}
  | \[[A-Za-z][\w-]{0,63}(?::[\w-]{1,64}){1,8}\]
  | (?<![\w|])\|\|[A-Za-z_]\w{0,63}\|\|(?![\w|])
  | \\(?:\([\w.$?!]{1,64}\)|u[0-9A-Fa-f]{4}|x[0-9A-Fa-f]{2}|[nrt](?![a-z])) | (?<![\w\\])\\[nrt] | \$\\[nrt]
"""
TILDE = r"~[\d,v\#:@]{0,8}[^\s\d]"
OPEN = r"\$t\(|<%|<\?(?:php|=)|\$!\{|[$\#@%!~]?\{|\[\["
CLOSE = r"\}\}|(?<!\d)%\}|%>"
