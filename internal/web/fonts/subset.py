#!/usr/bin/python3
"""Makes the Tibetan web font and the outline of the word in the language switch.

Run by hand when a Tibetan text uses a stack that the font lacks (the test
TestFontCoversCatalogue says so); the results are committed, so a build needs
none of the tools. Needs Debian's fonttools, python3-brotli, libharfbuzz-bin and
the npm package @fontsource/noto-serif-tibetan (make assets brings it).

    /usr/bin/python3 internal/web/fonts/subset.py

Unicode subsetting alone gains little, because a Tibetan font is mostly ready
made stacks. So the texts are shaped, and only the glyphs seen on the way are
kept: the substitution rules go through glyphs that are in no result, and
without those the subset shapes wrongly. Every prefix of each stack is shaped
too, because people type them one letter at a time.
"""

import csv
import itertools
import json
import pathlib
import re
import subprocess
import tempfile
import tomllib

from fontTools.pens.svgPathPen import SVGPathPen
from fontTools.pens.transformPen import TransformPen
from fontTools.ttLib import TTFont

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parent.parent.parent
SOURCE = ROOT / "web/node_modules/@fontsource/noto-serif-tibetan"
REGION = ROOT / "internal/telemetry/simulator/region"
# A stack: a base letter with everything set below and above it; or one mark.
STACK = re.compile("[\u0f40-\u0f6c\u0f88-\u0f8c][\u0f71-\u0f84\u0f86\u0f87\u0f8d-\u0fbc\u0f35\u0f37\u0f39]*|[\u0f00-\u0fff]")


def sub(letters):
    """The same letters in their subjoined forms."""
    return "".join(chr(ord(c) + 0x50) for c in letters)


def catalogue():
    """Every Tibetan text of the program: messages and sample names."""

    def leaves(tree):
        for v in tree.values():
            yield from leaves(v) if isinstance(v, dict) else [v]

    for path in sorted((ROOT / "internal/platform/i18n/locales/bo").glob("*.toml")):
        yield from leaves(tomllib.loads(path.read_text()))
    for path in sorted(ROOT.glob("internal/**/*.csv")) + sorted(REGION.glob("*.json")) + sorted(ROOT.glob("internal/**/templates/*.html")):
        yield from re.findall("[\u0f00-\u0fff]+", path.read_text())


def native():
    """Native stacks by the rules of spelling, and common Sanskrit ones."""
    roots = "ཀཁགངཅཆཇཉཏཐདནཔཕབམཙཚཛཝཞཟའཡརལཤསཧཨ"
    stacks = list(roots)
    stacks += ["ར" + c for c in sub("ཀགངཇཉཏདནབམཙཛ")]
    stacks += ["ལ" + c for c in sub("ཀགངཅཇཏདཔབཧ")]
    stacks += ["ས" + c for c in sub("ཀགངཉཏདནཔབམཙ")]
    stacks += [c + "ྱ" for c in list("ཀཁགཔཕབམཧ") + ["རྐ", "རྒ", "རྨ", "སྐ", "སྒ", "སྤ", "སྦ", "སྨ"]]
    stacks += [c + "ྲ" for c in list("ཀཁགཏཐདནཔཕབམསཧཤ") + ["སྐ", "སྒ", "སྤ", "སྦ", "སྨ", "སྣ"]]
    stacks += [c + "ླ" for c in "ཀགབརསཟ"]
    stacks += [c + "ྭ" for c in list("ཀཁགཅཉཏདཙཚཞཟརལཤསཧ") + ["གྲ", "ཕྱ", "རྩ"]]
    vowels = ["", "ི", "ུ", "ེ", "ོ"]
    for s, v in itertools.product(stacks, vowels):
        yield s + v
    for c in "ཀཁགཏདནཔབམཡརལཤསཧ":  # long and double vowels in loan words
        yield from (c + v for v in ("ཱ", "ཱི", "ཱུ", "ཻ", "ཽ", "ྀ", "ཾ", "ཿ"))
    for c in "ཊཋཌཎཥགྷ ཌྷ དྷ བྷ ཛྷ ཀྵ".replace(" ", ""):
        if "\u0f40" <= c <= "\u0f6c":
            yield from (c + v for v in vowels)
    for s in ["གྷ", "ཌྷ", "དྷ", "བྷ", "ཛྷ", "ཀྵ", "ཏྟ", "ཏྠ", "དྡ", "དྡྷ", "ནྟ", "ནྡ", "ནྡྲ", "མྦ", "མྤ", "ཤྲ", "ཤྲཱི", "པྲ", "བྲཱ", "སྭ", "ཏྲ", "ཨོཾ", "ཧཱུྃ", "ཧྲཱིཿ", "པདྨ", "དྨ", "དྨེ", "སྟྭ", "ཏྭ", "ཛྙ", "ཛྙཱ", "རྦྷ", "རྨ", "ཙཀྲ", "ཀྲ", "ཙྪ", "ཉྩ", "ཉྫ", "ལྱ", "ཤྱ", "ཀྟ", "གྣ", "ཏྨ", "ཏྱ", "དྱ", "དྭ", "ནྱ", "བྡ", "མྱ", "ཥྚ", "ཥྞ", "སྠ", "ཧྨ"]:
        yield from (s + v for v in vowels)
    yield from (chr(c) for c in itertools.chain(range(0x0F00, 0x0F15), range(0x0F20, 0x0F34), (0x0F34, 0x0F35, 0x0F37, 0x0F39, 0x0F3A, 0x0F3B, 0x0F3C, 0x0F3D, 0x0F85)))
    yield from ("་", "།", "༎", "།།", "ང་།", "༄༅།", "ག །")


def harfbuzz(font, lines, *options):
    command = ["hb-shape", "--output-format=json", "--no-glyph-names", "--no-clusters", "--script=Tibt", "--language=bo", "--direction=ltr"]
    return subprocess.run([*command, *options, str(font)], input="\n".join(lines), capture_output=True, text=True, check=True).stdout


def shape(font, lines):
    """Glyphs of each line, as hb-shape gives them."""
    out = harfbuzz(font, lines).splitlines()
    assert len(out) == len(lines), (len(out), len(lines))
    return [json.loads(line) for line in out]


def main():
    texts = sorted({line for t in catalogue() for line in re.findall("[\u0f00-\u0fff]+", t)})  # the space is another font's
    stacks = sorted({s for t in itertools.chain(texts, native()) for s in STACK.findall(t)})
    prefixes = sorted({s[:n] for s in stacks for n in range(1, len(s) + 1)})
    lines = sorted(set(texts) | set(stacks) | set(prefixes))
    covered = None
    with tempfile.TemporaryDirectory() as tmp:
        for weight in (400,):
            full = pathlib.Path(tmp) / f"{weight}.ttf"
            font = TTFont(SOURCE / f"files/noto-serif-tibetan-tibetan-{weight}-normal.woff2")
            font.flavor = None
            font.save(full)
            shaped = shape(full, lines)
            good = {line for line, glyphs in zip(lines, shaped) if all(g["g"] for g in glyphs)}
            missing = [s for t in texts for s in STACK.findall(t) if s not in good]
            assert not missing, f"the font itself lacks {missing}"
            gids = {int(g) for g in re.findall(r'"g":(\d+)', harfbuzz(full, sorted(good), "--trace"))}
            gids |= {font.getGlyphID(n) for c, n in font.getBestCmap().items() if chr(c) in {x for s in stacks for x in s}}
            out = HERE / f"noto-serif-tibetan-{weight}.woff2"
            subprocess.run(
                ["pyftsubset", str(full), "--gids=" + ",".join(map(str, sorted(gids))), "--no-layout-closure", "--layout-features=*", "--flavor=woff2", f"--output-file={out}"],
                check=True,
            )
            # The subset must shape like the whole font: same advances and offsets, nothing missing.
            check = pathlib.Path(tmp) / f"{weight}-subset.ttf"
            small = TTFont(out)
            small.flavor = None
            small.save(check)
            want = [g for line, g in zip(lines, shaped) if line in good]
            place = lambda glyphs: [(g["ax"], g["dx"], g["dy"]) for g in glyphs]  # noqa: E731
            for line, a, b in zip([x for x in lines if x in good], want, shape(check, [x for x in lines if x in good])):
                assert all(g["g"] for g in b) and place(a) == place(b), f"{weight}: {line} is shaped otherwise"
            covered = good if covered is None else covered & good
            print(out.name, out.stat().st_size, "bytes,", len(gids), "glyphs,", len(want), "texts shaped equal")
            if weight == 400:
                word(font, full)
    (HERE / "stacks.txt").write_text("".join(s + "\n" for s in stacks if s in covered))
    licence = (SOURCE / "LICENSE").read_text()
    (HERE / "OFL.txt").write_text(licence)


def word(font, path):
    """The word for Tibetan as one outline, so that no font is needed for it."""
    text, glyphs, x = "བོད་ཡིག", font.getGlyphSet(), 0
    pen = SVGPathPen(glyphs, ntos=lambda v: str(round(v)))
    for g in shape(path, [text])[0]:
        glyphs[font.getGlyphName(g["g"])].draw(TransformPen(pen, (0.1, 0, 0, -0.1, (x + g["dx"]) / 10, 100 - g["dy"] / 10)))
        x += g["ax"]
    svg = f'<svg class="word-bo" viewBox="0 0 {round(x / 10)} 150" aria-hidden="true"><path d="{pen.getCommands()}"/></svg>\n'
    (HERE / "word-bo.svg").write_text(svg)


if __name__ == "__main__":
    main()
