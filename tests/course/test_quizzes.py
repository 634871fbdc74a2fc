"""The concept test and the votes: their sources, their keys, and what comes out for Canvas, Moodle and paper."""

import doctest
import json
import re
import zipfile
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml
from course.quizzes import BadQuestion, read_quiz
from ntksite.citation import read_citation

from course import quizzes

ROOT = Path(__file__).resolve().parents[2]
COURSE = ROOT / "course"
SOURCES = {"test-a": "test/a.md", "test-b": "test/b.md"} | {
    f"{path.parent.name}-votes": str(path.relative_to(COURSE)) for path in sorted(COURSE.glob("modules/*/votes.md"))
}
MISCONCEPTIONS = yaml.safe_load((COURSE / "misconceptions.yaml").read_text("utf-8"))
SITE = read_citation(ROOT).site
QUIZZES = {name: read_quiz(COURSE / path, MISCONCEPTIONS, SITE) for name, path in SOURCES.items()}
FORMS = [QUIZZES["test-a"].questions, QUIZZES["test-b"].questions]


# The sources


def wrong(question):
    return {choice.misconception for choice in question.choices if not choice.right}


def place(question):
    return [choice.right for choice in question.choices].index(True)


def test_the_forms_are_parallel():
    a, b = FORMS
    assert len(a) == len(b) == 12
    assert [question.title for question in a] == [question.title for question in b]
    assert list(map(wrong, a)) == list(map(wrong, b))
    assert QUIZZES["test-a"].introduction == QUIZZES["test-b"].introduction
    assert not {question.text for question in a} & {question.text for question in b}


def test_neighbours_with_different_forms_cannot_copy_letters():
    for form in FORMS:
        assert all(len(question.choices) == 4 for question in form)
        assert {tuple(map(place, form)).count(letter) for letter in range(4)} == {3}
    assert all(place(a) != place(b) for a, b in zip(*FORMS, strict=True))


def test_each_question_has_its_misconception_and_all_of_them_are_used():
    used = [wrong(question) for quiz in QUIZZES.values() for question in quiz.questions]
    assert set.union(*used) == set(MISCONCEPTIONS)
    for main, question in zip(MISCONCEPTIONS, FORMS[0], strict=False):
        assert main in wrong(question), question.title


@pytest.mark.parametrize("path", [*SOURCES.values(), "misconceptions.yaml"])
def test_what_holds_a_key_holds_the_canary(path):
    assert quizzes.CANARY in (COURSE / path).read_text("utf-8")


def test_the_notes_compute_what_they_say():
    failed, tried = doctest.testfile(str(COURSE / "test" / "README.md"), module_relative=False)
    assert tried and not failed


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("- [x]", "- [ ]", "one choice has to be the right one"),
        ("- [ ]", "- [x]", "one choice has to be the right one"),
        ("% small", "% smal", "needs a misconception of misconceptions.yaml, got 'smal'"),
        ("  Think again.\n", "", "has no reply"),
        ("```{self-check}", "```{exercise}", "has to end with a question"),
    ],
)
def test_a_source_out_of_form_is_told(tmp_path, old, new, message):
    choices = "- [ ] This.\n\n  Think again.\n  % small\n- [x] That.\n\n  Yes."
    text = f"# Test\n\n## One\n\n```{{self-check}} What?\n{choices}\n```\n"
    source = tmp_path / "a.md"
    source.write_text(text)
    assert read_quiz(source, {"small": ""}, "").questions[0].title == "One"
    source.write_text(text.replace(old, new))
    with pytest.raises(BadQuestion, match=f"'One': .*{re.escape(message)}"):
        read_quiz(source, {"small": ""}, "")


def test_links_lead_to_the_site_where_it_has_an_address():
    text = "[width 64](networks.html#train-live?width=64)"
    assert quizzes.link(text, "https://a.b") == "[width 64](https://a.b/book/networks.html#train-live?width=64)"
    assert quizzes.link(text, "") == "width 64 (in the book: `networks.html#train-live?width=64`)"


# The keys


def right(form, title):
    (question,) = (question for question in FORMS["ab".index(form)] if question.title == title)
    return question.choices[place(question)].text


def numbers(text):
    return [float(number.replace(",", "")) for number in re.findall(r"\d[\d,]*(?:\.\d+)?", text)]


@pytest.mark.parametrize(("form", "eigenvalues", "left"), [("a", (4, 1), 1 / 16), ("b", (6, 2), 1 / 27)])
def test_the_key_of_the_eigenvectors(form, eigenvalues, left):
    first, second = eigenvalues
    numerator, denominator = numbers(right(form, "Eigenvectors"))
    assert numerator / denominator == pytest.approx(left ** (second / first))


@pytest.mark.site
def test_keys_that_are_numbers_agree_with_the_claims():
    claims = {claim["id"]: claim for claim in json.loads((ROOT / "_build" / "html" / "claims.json").read_text())}

    def factor(name, wider):
        """By which factor a size falls, if the width becomes `wider` times as large."""
        claim = claims[name]
        assert claim["kind"] == "exponent" and abs(claim["measured"] - claim["predicted"]) <= claim["tolerance"]
        return round(wider ** -claim["predicted"])

    levels = [f"truncation-outputs-{p}" for p in (2, 3, 4)]
    assert numbers(right("a", "Levels")) == [factor(name, 16) for name in levels]
    assert numbers(right("b", "Levels")) == [factor(name, 100) for name in levels]
    chance, motion = "networks-concentration", "networks-kernel-exponent"
    assert numbers(right("a", "Chance and training")) == [factor(chance, 16), factor(motion, 16)]
    assert numbers(right("b", "Chance and training")) == [0.2 / factor(chance, 100), 0.1 / factor(motion, 100)]
    assert numbers(right("a", "A kink")) == [factor("networks-relu", 16)]
    (width,) = numbers(right("b", "A kink"))
    assert factor("networks-relu", width / 4096) == 10
    assert numbers(right("a", "New points")) == [factor("predict-regression-2", 100)]
    for form, wider in (("a", 100), ("b", 16)):  # the distance is kept, and shared by so many more
        assert factor("networks-parameters-exponent", wider) == 1
        assert numbers(right(form, "Distances")) == [wider**0.5]
    assert factor("motion-scatter-odd", 4) == 1 and right("b", "Seeds") == "Both stay about the same."
    assert factor("hierarchy-size-3", 16) == factor("hierarchy-size-4", 16) == 16 and "$1/m$" in right(
        "a", "Odd orders"
    )
    assert factor("hierarchy-size-5", 16) == 16**2 and "$m^{-2}$" in right("b", "Odd orders")
    for name in ("convergence-antipodes", "networks-learning-rate"):
        assert abs(claims[name]["measured"]) <= claims[name]["tolerance"]
    assert numbers(right("a", "A mirror pair")) == [(1 + 0.5) ** 2 / 2]
    assert numbers(right("b", "A mirror pair")) == [(2 - 1) ** 2 / 2]
    assert numbers(right("b", "Learning rates")) == [0.8 / 400]
    vote = QUIZZES["1-networks-votes"].questions
    assert numbers(vote[1].choices[place(vote[1])].text) == [factor(motion, 4)]
    assert numbers(vote[2].choices[place(vote[2])].text) == [factor("networks-relu", 4)]


# What comes out


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    out = tmp_path_factory.mktemp("course")
    quizzes.build(ROOT, out)
    return out


class Shown(HTMLParser):
    """The text that is shown, each formula as `$`, and the TeX of the formulas: MathML's annotation, or in \\( \\)."""

    def __init__(self, html):
        super().__init__()
        self.text, self.formulas, self.path = "", [], []
        self.feed(html)
        assert not self.path, html
        for formula in re.findall(r"\\\((.+?)\\\)", self.text):
            self.formulas.append(formula)
        self.text = " ".join(re.sub(r"\\\(.+?\\\)", "$", self.text).split())

    @classmethod
    def of_page(cls, path):
        return typed(cls(path.read_text("utf-8").partition("<body>")[2].partition("</body>")[0]).text)

    def handle_starttag(self, tag, attributes):
        self.path.append(tag)
        if tag == "math":
            self.text += "$"

    def handle_endtag(self, tag):
        assert self.path.pop() == tag

    def handle_data(self, data):
        if "annotation" in self.path:
            self.formulas.append(data)
        elif "math" not in self.path:
            self.text += data


def canvas(path):
    """Title, question and choices of every item; a choice is its text, its reply and whether it is right."""
    with zipfile.ZipFile(path) as archive:
        (name,) = (name for name in archive.namelist() if re.fullmatch(r"(.+)/\1\.xml", name))
        tree = ElementTree.fromstring(archive.read(name))
    space = {"q": "http://www.imsglobal.org/xsd/ims_qtiasiv1p2"}

    def answers(item):
        (key,) = (
            condition.findtext("q:conditionvar/q:varequal", namespaces=space)
            for condition in item.iterfind(".//q:respcondition", space)
            if condition.findtext("q:setvar", namespaces=space) == "100"
        )
        for label in item.iterfind(".//q:response_label", space):
            identity = label.attrib["ident"]
            reply = item.find(f"q:itemfeedback[@ident='{identity}_fb']", space)
            yield label.findtext(".//q:mattext", "", space), reply.findtext(".//q:mattext", "", space), identity == key

    return [
        (item.attrib["title"], item.findtext("q:presentation/q:material/q:mattext", "", space), list(answers(item)))
        for item in tree.iter(f"{{{space['q']}}}item")
    ]


def moodle(path):
    """The same of a Moodle file."""

    def answers(question):
        for answer in question.iterfind("answer"):
            assert answer.attrib["fraction"] in ("0", "100")
            yield answer.findtext("text"), answer.findtext("feedback/text"), answer.attrib["fraction"] == "100"

    return [
        (question.findtext("name/text"), question.findtext("questiontext/text"), list(answers(question)))
        for question in ElementTree.parse(path).iterfind("question[@type='multichoice']")
    ]


READERS = {"zip": canvas, "xml": moodle}


def plain(text):
    """Markdown as it should be shown: without marks and addresses, each formula as `$`."""
    text = re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", text)
    return " ".join(re.sub(r"[`*]", "", re.sub(r"\$.+?\$", "$", text, flags=re.S)).split())


def typed(text):
    return text.translate(str.maketrans("’‘“”–", "''\"\"-"))


@pytest.mark.slow
@pytest.mark.parametrize("kind", READERS)
@pytest.mark.parametrize("name", QUIZZES)
def test_an_independent_reader_finds_the_questions_and_their_formulas(made, name, kind):
    read = READERS[kind](made / "lms" / f"{name}.{kind}")
    questions = QUIZZES[name].questions
    assert len(read) == len(questions)
    for (title, text, answers), question in zip(read, questions, strict=True):
        assert title.endswith(question.title)
        assert [right for *_, right in answers].count(True) == 1
        assert all(reply for _, reply, _ in answers)
        pairs = [(text, question.text)]
        for (shown, reply, right), choice in zip(answers, question.choices, strict=True):
            assert right == choice.right
            pairs += [(shown, choice.text), (reply, choice.reply)]
        for html, source in pairs:
            shown = Shown(html)
            assert shown.formulas == [re.sub(r"\s+", " ", tex) for tex in re.findall(r"\$(.+?)\$", source, flags=re.S)]
            assert typed(shown.text) == plain(source)
            assert "\\" not in shown.text


@pytest.mark.slow
@pytest.mark.parametrize("name", QUIZZES)
def test_the_introduction_is_told_everywhere(made, name):
    lms, start = made / "lms", plain(QUIZZES[name].introduction)[:60]
    with zipfile.ZipFile(lms / f"{name}.zip") as archive:
        (meta,) = (archive.read(entry) for entry in archive.namelist() if entry.endswith("assessment_meta.xml"))
    description = ElementTree.fromstring(meta).findtext("{http://canvas.instructure.com/xsd/cccv1p0}description")
    told = ElementTree.parse(lms / f"{name}.xml").findtext("question[@type='description']/questiontext/text")
    assert typed(Shown(description).text).startswith(start)
    assert typed(Shown(told).text).startswith(start)
    assert start in Shown.of_page(lms / f"{name}.html")


@pytest.mark.slow
@pytest.mark.parametrize("name", QUIZZES)
def test_paper_has_the_questions_and_the_key_has_the_rest(made, name):
    paper, key = (Shown.of_page(made / path) for path in (f"lms/{name}.html", f"teacher/{name}-key.html"))
    for question in QUIZZES[name].questions:
        for choice in question.choices:
            assert plain(choice.text) in paper and plain(choice.text) in key
            assert plain(choice.reply) not in paper and plain(choice.reply) in key
            assert choice.right or (choice.misconception not in paper and choice.misconception in key)
    letters = ("abcd"[place(question)] for question in QUIZZES[name].questions)
    summary = "Right: " + ", ".join(f"{number}{letter}" for number, letter in enumerate(letters, start=1)) + "."
    assert summary in key and "Right" not in paper


def contents(path):
    """The bytes of a file, or of every file in a zip."""
    if path.suffix != ".zip":
        return {path.name: path.read_bytes()}
    with zipfile.ZipFile(path) as archive:
        return {f"{path.name}/{name}": archive.read(name) for name in archive.namelist()}


def all_contents(folder):
    return {name: data for path in sorted(folder.iterdir()) for name, data in contents(path).items()}


@pytest.mark.slow
def test_the_canary_is_where_it_belongs(made):
    canary = quizzes.CANARY.encode()
    assert not [name for name, data in all_contents(made / "lms").items() if canary in data]
    assert not [name for name, data in all_contents(made / "teacher").items() if canary not in data]
    assert len(list((made / "lms").iterdir())) == 3 * len(QUIZZES)
    assert len(list((made / "teacher").iterdir())) == len(QUIZZES)


@pytest.mark.slow
def test_nothing_is_asked_of_another_host(made):
    asking = re.compile(rb"\bsrc\s*=|url\(|(<|&lt;)(script|link|img|iframe)\b", flags=re.I)
    assert not [name for name, data in all_contents(made / "lms").items() if asking.search(data)]


@pytest.mark.slow
def test_two_builds_have_the_same_contents(made, tmp_path):
    quizzes.build(ROOT, tmp_path)
    assert all_contents(tmp_path / "lms") == all_contents(made / "lms")
    assert all_contents(tmp_path / "teacher") == all_contents(made / "teacher")
