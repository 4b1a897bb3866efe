"""Cases by grammar: templates, patterns and paths that mean something, mostly something unkind."""

from random import Random


def _listed(text: str) -> tuple[str, ...]:
    return tuple(" ".join(part.split()) for part in text.split(";") if part.strip())


SIMPLE = _listed("""
    item ; item.q ; item.big ; item.list ; item.rows ; item.n ; item.deep ; x ; loop ; ns.x ; sample ; 1 ;
    2 ** 99 ; 10 ** 9 ; 'x' ; 'ab' * 999 ; 'é' * 9999 ; [1, 2] ; [[1] * 99] * 99 ; {'a': 1} ; (1, 2) ;
    none ; 1.5 ; -1 ; range(99999) ; range(10) ; lipsum(n=2) ; cycler(1, 2) ; joiner(',') ; namespace ;
    dict(a=1) ; self ; '%9999d' ; '{:9999}' ; '%s %s' ; '{}' ; item.big ; item.list
""")
FILTERS = _listed("""
    upper ; lower ; title ; length ; list ; string ; int(0, 16) ; int ; float ; abs ; tojson ;
    tojson(indent=9) ; join('ab') ; join ; replace('x', 'yy' * 40) ; center(90000) ; indent(9000) ;
    wordwrap(3) ; truncate(9) ; batch(3) ; batch(2, 'x') ; slice(4000) ; sort ; unique ; reverse ; sum ;
    sum(start=[]) ; max ; min ; first ; last ; random ; pprint ; urlize ; striptags ; escape ; xmlattr ;
    items ; dictsort ; groupby('x') ; map('upper') ; map('string') ; trim ; capitalize ;
    map(attribute='x', default=item.big) ; select('in', item.list) ; reject('none') ;
    selectattr('x', 'eq', 1) ; default('x') ; round(3) ; round(900, 'floor') ; format(1, 2) ;
    filesizeformat ; wordcount ; urlencode ; attr('__class__') ; safe
""")
TESTS = _listed(
    "defined ; none ; string ; in item.list ; eq item.rows ; upper ; divisibleby 3 ; iterable ; sameas item"
)
METHODS = _listed("""
    upper() ; split() ; split('x') ; replace('x', 'zz' * 99) ; format(item.big) ; zfill(9999) ; items() ;
    keys() ; count(1) ; index(1) ; join(item.list) ; get('x') ; copy() ; encode() ; __class__ ;
    ljust(99999) ; append(1) ; splitlines() ; translate({120: 'y' * 99}) ; expandtabs(999) ; bit_length() ;
    format_map(item) ; x ; 0 ; __init__
""")
SIGNS = _listed("+ ; - ; * ; / ; // ; % ; ** ; ~ ; == ; != ; < ; > ; in ; not in ; and ; or")
SLICES = _listed("1: ; ::-1 ; :9 ; ::2")
ATOMS = ("a", "b", ".", r"\d", r"\w", r"\s", "[ab]", "[^a]", "^", "$", r"\b", "(a)", r"\1", "", "é")
STEPS = _listed("""..a ; .a ; ..* ; .* ; [0] ; [*] ; [-1] ; [0:2] ; ['a'] ; [?(@.a =~ "(a+)+$")] ; [?(@.a > 0)]""")


def template(rng: Random) -> bytes:
    """A template of a few statements."""
    return "".join(_statement(rng, 0) for _ in range(rng.randint(1, 4))).encode()


def _statement(rng: Random, depth: int) -> str:
    inner = "" if depth > 3 else "".join(_statement(rng, depth + 1) for _ in range(rng.randint(0, 2)))
    value = _expression(rng, 0)
    doubled = (
        f"{{% set ns = namespace(x={value}) %}}{{% for i in range(99) %}}{{% set ns.x = [ns.x, ns.x] %}}{{% endfor %}}"
    )
    deep = f"{{% set ns = namespace(x={value}) %}}{{% for i in range(9999) %}}{{% set ns.x = (ns.x,) %}}{{% endfor %}}"
    return rng.choice(
        (
            f"{{{{ {value} }}}}",
            f"{{{{ {value} }}}}!",
            f"{{% for x in {value} %}}{inner}{{{{ x }}}}{{% endfor %}}",
            f"{{% for x in range({rng.choice((3, 99, 9999, 10**9))}) %}}{inner}{{% endfor %}}",
            f"{{% for x in {value} recursive %}}{{{{ loop(x) }}}}{{% endfor %}}",
            f"{{% if {value} %}}{inner}{{% else %}}-{{% endif %}}",
            f"{doubled}{inner}{{{{ {_expression(rng, 1)} }}}}",
            f"{deep}{{{{ ns.x {rng.choice(SIGNS)} {value} }}}}",
            f"{{% set x %}}{inner}{{% endset %}}{{{{ x }}}}",
            f"{{% macro m(a=1) %}}{inner}{{{{ m(a + 1) }}}}{{{{ {value} }}}}{{% endmacro %}}{{{{ m() }}}}",
            f"{{% filter upper %}}{inner}{{% endfilter %}}",
            f"{{% call(x) dict() %}}{inner}{{% endcall %}}",
            f"text {inner} {{# {value} #}}",
        )
    )


def _expression(rng: Random, depth: int) -> str:
    simple = rng.choice(SIMPLE)
    if depth > 4 or rng.random() < 0.25:
        return simple
    value = _expression(rng, depth + 1)
    return rng.choice(
        (
            f"{value} | {rng.choice(FILTERS)}",
            f"({value}) | {rng.choice(FILTERS)} | {rng.choice(FILTERS)}",
            f"({value}).{rng.choice(METHODS)}",
            f"({value})[{_expression(rng, depth + 2)}]",
            f"({value})[{rng.choice(SLICES)}]",
            f"({value}) {rng.choice(SIGNS)} ({_expression(rng, depth + 1)})",
            f"({value}) is {rng.choice(TESTS)}",
            f"[{value}] * {rng.choice((2, 1000, 10**8))}",
            f"{{{value}: {simple}}}",
            f"{simple} if {value} else {simple}",
            f"not ({value})",
        )
    )


def pattern(rng: Random) -> bytes:
    """A pattern, and after a NUL the text in which it is looked for."""
    alphabet = rng.choice(("ab", "ab1 ", "aé\n", "a"))
    text = "".join(rng.choice(alphabet) for _ in range(rng.randint(0, 60))) * rng.choice((1, 1, 1, 40, 2000))
    return f"{_pattern(rng, 0)}\x00{text}".encode()


def _pattern(rng: Random, depth: int) -> str:
    if depth > 3 or rng.random() < 0.3:
        return rng.choice(ATOMS)
    inner, other = _pattern(rng, depth + 1), _pattern(rng, depth + 1)
    return rng.choice(
        (
            f"({inner})",
            f"({inner})*",
            f"({inner})+",
            f"({inner})?",
            f"(?:{inner}){{2,{rng.choice((3, 99, 65535))}}}",
            f"{inner}{other}",
            f"{other}{inner}{other}",
            f"({inner}|{other})",
            f"(?={inner})",
            f"(?<={inner})",
            f"(?i:{inner})",
            f"({inner}|{other})*{rng.choice(('b', '$', '!'))}",
            f"(?>{inner})",
            f"({inner})*?{other}",
            f"(?P<n>{inner})(?P=n)",
        )
    )


def path(rng: Random) -> bytes:
    """A JSONPath, and after a NUL the JSON in which it is followed."""
    steps = "".join(rng.choice(STEPS) for _ in range(rng.randint(1, 7)))
    whole = "1"
    for _ in range(rng.choice((1, 3, 40, 90))):
        outer = '{"a": %s, "b": [1, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!"]}'
        whole = outer % whole if rng.random() < 0.8 else f"[{whole}, {{}}]"
    return f"${steps}\x00{whole}".encode()
