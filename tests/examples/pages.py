"""Pages of HTML taken apart, and the committed reports."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

from wdccheck.reports.report import Report

CERTIFICATES = Path(__file__).parents[2] / "certificates"
VOID = {"meta", "br", "hr", "img", "link"}


def loaded(name):
    return Report.load(CERTIFICATES / name / "report.json")


class Page(HTMLParser):
    """Tags that match, what they refer to, the text."""

    def __init__(self, text):
        super().__init__()
        self.open, self.seen, self.words, self.values = [], [], [], []
        self.feed(text)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag, attributes):
        self.seen.append(tag)
        self.values += [(name, value) for name, value in attributes]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.seen.append(tag)
        self.values += attributes

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())
