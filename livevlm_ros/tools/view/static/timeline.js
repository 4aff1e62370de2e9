// The memory over time: a row a camera, in it a lane a tier; what the last question read, and events.

const SVG = 'http://www.w3.org/2000/svg';
const TIERS = ['short_term', 'long_term', 'archive'];
const WIDTH = 480, EDGE = 4, LANE = 10, TITLE = 16, FOOT = 16;

export function drawTimeline({ frames, total }, read, events) {
  const svg = make('svg', { role: 'img' });
  const cameras = [...new Set(frames.map((frame) => frame.camera))].sort();
  const height = TITLE + cameras.length * (TITLE + TIERS.length * LANE) + FOOT;
  svg.setAttribute('viewBox', `0 0 ${WIDTH} ${height}`);
  const first = frames.length ? frames[0].stamp : 0;
  const last = frames.length ? frames[frames.length - 1].stamp : 0;
  const room = WIDTH - 2 * EDGE;
  const tick = Math.min(12, Math.max(2, (0.8 * room * cameras.length) / (frames.length || 1)));
  const x = (stamp) => EDGE + ((stamp - first) / (last - first || 1)) * (room - tick);
  const bar = (kind, stamp, y, height) => make('rect', { class: kind, x: x(stamp).toFixed(1), y, width: tick.toFixed(1), height });
  const held = (stamp) => first <= stamp && stamp <= last;

  svg.setAttribute('aria-label', told(frames, total, last - first));
  for (const event of events.filter(({ stamp }) => held(stamp))) {
    svg.append(titled(bar('event', event.stamp, 2, TITLE - 6), `${event.camera} ${event.words}`));
  }
  cameras.forEach((camera, row) => {
    const top = TITLE + row * (TITLE + TIERS.length * LANE);
    svg.append(words(camera, EDGE, top + TITLE - 3));
    for (const { stamp } of read.filter((frame) => frame.camera === camera && held(frame.stamp))) {
      svg.append(bar('read', stamp, top, TITLE + TIERS.length * LANE));
    }
    for (const frame of frames.filter((each) => each.camera === camera)) {
      for (const tier of frame.tiers) {
        const y = top + TITLE + TIERS.indexOf(tier) * LANE;
        svg.append(bar(tier, frame.stamp, y, LANE - 1));
      }
    }
  });
  if (frames.length) {
    svg.append(words(`${span(last - first)} ago`, EDGE, height - 2));
    svg.append(words('newest', WIDTH - EDGE, height - 2, 'end'));
  }
  return svg;
}

export function span(seconds) {
  if (seconds < 120) return `${seconds.toFixed(1)} s`;
  return seconds < 7200 ? `${(seconds / 60).toFixed(1)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

function told(frames, total, length) {
  const count = (tier) => frames.filter((frame) => frame.tiers.includes(tier)).length;
  const parts = TIERS.map((tier) => `${count(tier)} in ${tier.replace('_', '-')}`);
  return `${total} frames over ${span(length)}; of ${frames.length} shown ${parts.join(', ')}`;
}

function words(text, x, y, anchor = 'start') {
  const element = make('text', { x, y, 'text-anchor': anchor });
  element.textContent = text;
  return element;
}

function titled(element, text) {
  const title = make('title', {});
  title.textContent = text;
  element.append(title);
  return element;
}

function make(name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}
