# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Write srv/Ask.srv and action/AskStream.action from ask.template, so that fields stay equal.

ROS interfaces cannot inherit. The template holds request, response and feedback, separated by
`---`; the service is the first two, the action is all three. Run `python generate.py` after
editing the template.
"""

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent
SEPARATOR = '\n---\n'
SERVICE = '# A question to the camera memory and its answer, inside a latency budget.\n'
ACTION = '# The same question as srv/Ask.srv, answered word by word; can be cancelled.\n'
NOTICE = '# Written by template/generate.py from template/ask.template: edit that one.\n'


def generate(template: str) -> dict[str, str]:
    """
    Make the text of both interface files.

    :param template: request, response and feedback separated by lines of `---`
    :returns: path in the package -> text
    """
    request, response, feedback = template.split(SEPARATOR)
    return {
        'srv/Ask.srv': SERVICE + NOTICE + SEPARATOR.join((request, response)) + '\n',
        'action/AskStream.action': ACTION + NOTICE + SEPARATOR.join((request, response, feedback)),
    }


def main() -> None:
    """Write both files."""
    template = (PACKAGE / 'template/ask.template').read_text(encoding='utf-8')
    for path, text in generate(template).items():
        (PACKAGE / path).write_text(text, encoding='utf-8')


if __name__ == '__main__':
    main()
