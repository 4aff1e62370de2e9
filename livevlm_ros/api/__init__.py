# Copyright 2026 The livevlm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The memory in a program or a notebook, without ROS.

An engine watches frames and answers questions about them:

```python
from livevlm_ros import Engine
from livevlm_ros.world import World

street = World(seed=7, seconds=60)  # a simulated camera; the embedded model knows no other
frames = ((second, street.image(second)) for second in range(60))

with Engine.open() as engine:
    engine.watch(frames)
    answer = engine.ask('what color was the truck in the middle ?')
    print(answer)
```

```text
red (confidence 1.00; seen at 14.0 s, 52.0 s, 51.0 s; 65 ms)
```

`answer.show()` shows the evidence frames too: in a notebook, or in a terminal that can.

`engine.watch('walk.mp4')` watches a video or a bag of your own. It needs a model that knows more
than the simulated street: `Engine.open('llava-hf/llava-onevision-qwen2-0.5b-ov-hf')`, with
`device='cuda'` where there is a GPU. Every frame is used; `Engine.open(fps=1)` uses one a second,
as the commands do by default.

**While frames come.** A loop over the frames may ask in between:

```python
with Engine.open() as engine:
    for second in engine.watch((second, street.image(second)) for second in range(60)):
        if second in (20, 40):
            answer = engine.ask('what was the last thing you saw ?')
            print(second, answer.text)
```

```text
20.0 bicycle
40.0 dog
```

**Word by word.**

```python
engine = Engine.open(preset='recent', settings={'memory.short_term_frames': 8})
engine.watch((second, street.image(second)) for second in range(20)).read()
stream = engine.stream('what is on the left now ?')
for piece in stream:
    print(piece, end='')
print()
print(stream.answer.status.name)
```

```text
nothing
OK
```

**Times** are seconds: those that the frames were given with, or, in a recording, seconds from its
first frame. `evidence_s` has them, and `as_of_s`, `time_start_s` and `time_end_s` take them:

```python
engine.ask('what is on the left now ?', as_of_s=15.0).evidence_s
```

**Errors** are one line each. `BadInput`, a `ValueError`, says what was given and what was
expected. `NotDone`, a `RuntimeError`, says why something cannot be done now. A question that finds
nothing, or runs out of time, raises nothing: the answer's `status` says so.

```python
from livevlm_ros import BadInput, NotDone

try:
    engine.ask('what is on the left now ?', cameras=['rear'])
except BadInput as error:
    print(error)
engine.close()
try:
    engine.ask('what is on the left now ?')
except NotDone as error:
    print(error)
```

```text
cameras: got 'rear', expected some of camera
the engine is closed: open another one
```

Two runs over the same frames give the same answers, because the model runs in float32;
`settings={'model.dtype': 'bfloat16'}` is faster on a GPU. One thread at a time may use an engine.
"""

from __future__ import annotations

from livevlm_ros.api.answer import Answer
from livevlm_ros.api.engine import Engine
from livevlm_ros.api.question import Fields
from livevlm_ros.api.stream import Stream
from livevlm_ros.api.watching import Watching
from livevlm_ros.engine.messages import NotDone
from livevlm_ros.replay.errors import BadInput

__all__ = ['Answer', 'BadInput', 'Engine', 'Fields', 'NotDone', 'Stream', 'Watching']
