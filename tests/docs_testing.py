"""What documents are made of: their blocks of commands, links, headings and the paths that they name."""
import dataclasses
import pathlib
import re

LANGUAGES = {"sh", "text", "toml", "json", "cpp"}


@dataclasses.dataclass
class Block:
    document: pathlib.Path
    line: int
    language: str
    text: str
    not_run: str | None  # the reason that a comment directly above it gives

    def where(self):
        return f"{self.document.name}:{self.line}"

    def commands(self):
        """Lines without comments; one that ends in a backslash goes on in the next."""
        joined = re.sub(r"\\\n\s*", " ", self.text)
        return [c for c in (re.sub(r"(^|\s)#.*", "", line).strip() for line in joined.splitlines()) if c]


def documents(source):
    skipped = {"build", "runs", "out", "node_modules"}
    return sorted(p for p in source.rglob("*.md")
                  if not any(part.startswith(".") or part in skipped for part in p.relative_to(source).parts))


def blocks(document):
    """Fenced blocks. A block that is only indented has no language, and is a block with language ''."""
    found, above, fence, start, reason = [], [], None, 0, None
    body, blank = [], True
    for number, line in enumerate(document.read_text().splitlines(), 1):
        if fence is not None:
            if line.strip() == "```":
                found.append(Block(document, start, fence, "\n".join(body) + "\n", reason))
                fence, above, blank = None, [], True
            else:
                body.append(line)
            continue
        opening = re.fullmatch(r"\s*```(\w*)", line)
        if opening:
            mark = re.fullmatch(r"<!-- not run: (.+) -->", above[-1].strip()) if above else None
            fence, start, body, reason = opening[1], number, [], mark[1] if mark else None
            continue
        if blank and re.match(r"    \S", line) and not in_list(above):
            found.append(Block(document, number, "", line + "\n", None))
        blank = not line.strip()
        if line.strip():
            above.append(line)
    return found


def in_list(above):
    return bool(above) and bool(re.match(r"\s*([-*]|\d+\.) |    ", above[-1]))


def prose(document):
    """The text without its blocks and comments."""
    text = re.sub(r"^\s*```.*?^\s*```$", "", document.read_text(), flags=re.M | re.S)
    return re.sub(r"<!--.*?-->", "", text, flags=re.S)


def anchors(document):
    """Headings as the sites that show Markdown name them."""
    headings = re.findall(r"^#+ (.+)$", prose(document), flags=re.M)
    plain = [re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", h) for h in headings]
    return {re.sub(r"[^\w\- ]", "", h.strip().lower()).replace(" ", "-") for h in plain}


def links(document):
    text = re.sub(r"`[^`\n]*`", "", prose(document))
    return re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'(?:src|href)="([^"]+)"', text)


def named_paths(document):
    """Paths of the source tree in code font, `{h,cc}` spelt out."""
    folders = "mvd|docs|tools|tests|recipes|models|testdata|bench|cmake|fuzz_targets"
    for path in re.findall(rf"`((?:{folders})/[\w./{{}},*-]+)`", prose(document)):
        choice = re.search(r"\{([^}]*)\}", path)
        for one in choice[1].split(",") if choice else [""]:
            yield path[:choice.start()] + one + path[choice.end():] if choice else path
