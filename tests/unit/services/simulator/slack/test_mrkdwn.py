import re
from datetime import UTC

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.simulator.slack.mrkdwn import mrkdwn, plain_text

OURS = re.compile(
    r'</?(strong|em|s|code|pre|blockquote)>|<br>|<a href="[^"<>]*" target="_blank" rel="noopener noreferrer">|</a>'
    r'|<span class="mention">|<span title="[^"<>]*">|</span>'
)


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("*bold* _italic_ ~gone~", "<strong>bold</strong> <em>italic</em> <s>gone</s>"),
        ("`a *b*`", "<code>a *b*</code>"),
        ("```\nx < y\n```", "<pre>x &lt; y</pre>"),
        ("2*3*4", "2*3*4"),
        ("snake_case_name", "snake_case_name"),
        ("a &lt;b&gt; &amp; c", "a &lt;b&gt; &amp; c"),
        ("&amp;lt;", "&amp;lt;"),
        (
            "<https://e.org/?a=1&amp;b|name>",
            '<a href="https://e.org/?a=1&amp;b" target="_blank" rel="noopener noreferrer">name</a>',
        ),
        ("<!here>", '<span class="mention">@here</span>'),
        ("<@U1|kim>", '<span class="mention">@kim</span>'),
        ("<javascript:alert(1)|x>", "&lt;javascript:alert(1)|x&gt;"),
        (":rotating_light: :nope:", "🚨 :nope:"),
        ("> 한국어", "<blockquote>한국어</blockquote>"),
        ("<!date^1700000000^{date_num} {time_secs}|then>", '<span title="then">2023-11-14 22:13:20</span>'),
    ],
)
def test_markup(text: str, html: str) -> None:
    assert mrkdwn(text, UTC) == html


def test_plain_text_has_no_markup() -> None:
    assert plain_text("*a* <b> :warning:") == "*a* &lt;b&gt; ⚠️"


@given(st.text(alphabet=st.sampled_from("<>&\"'*_~`|@#!:/ \n\x00\x01abchttps:1^{}"), max_size=80))
def test_no_text_makes_any_other_html_than_ours(text: str) -> None:
    for shown in (mrkdwn(text, UTC), plain_text(text)):
        assert "<" not in OURS.sub("", shown)
