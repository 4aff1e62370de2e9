# throw-away: the memory of today behind the calls of tomorrow's
from dataclasses import dataclass

import livevlm_ros.memory.pages as pages
from livevlm_ros.memory import Memory, MemoryConfig, Reach


@dataclass(frozen=True)
class ReadFilter:
    short_term: bool = True
    long_term: bool = True
    only_ns: tuple[int, int] | None = None
    without: frozenset = frozenset()

    def reach(self):
        return Reach(short_term=self.short_term, long_term=self.long_term, only_ns=self.only_ns)


def configured(preset, **more):
    frames = more.pop('retrieval_frames', None)
    if frames is not None:
        base = MemoryConfig(preset, **more)
        if base.retrieval == 'frames' and base.archive_bits:
            pages.REKV_FRAMES = frames
        elif base.long_term_frames:
            more['ratio'] = frames / base.long_term_frames + 1e-6
    return MemoryConfig(preset, **more)


class Present(Memory):
    def probe(self, *, tokens, filter=None, key=None):
        return None

    def question(self, *, extra_tokens, filter=None, probe=None):
        view = super().question(
            extra_tokens=extra_tokens, reach=filter.reach() if filter else None
        )
        return view

    @property
    def ids(self):
        return self._names


def ids_of(view):
    n = len(view._read)
    return [view._read[layer] for layer in range(n)]
