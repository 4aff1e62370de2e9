// One WebSocket brings everything: messages {about, content}. What the node says is only ever set as text.

import { drawTimeline, span } from './timeline.js';

const RETRY_MS = 1000;
const SHOWN_EVENTS = 50;
const byId = (id) => document.getElementById(id);
const known = { timeline: { frames: [], total: 0 }, answered: { read: [] }, events: [] };
let socket, shownFrame = '';

const show = {
  node({ alive, said }) {
    banner('presence', said);
    document.body.classList.toggle('gone', !alive);
    byId('send').disabled = !alive || !byId('cancel').disabled;
  },
  info({ model, device, preset, horizon, cameras, usual_budget }) {
    byId('info').textContent = [model, device, preset, horizon].filter(Boolean).join(' · ');
    byId('ask').elements.budget.placeholder = usual_budget ? `usually ${usual_budget}` : "node's own";
    offerCameras(cameras);
  },
  state(state) {
    const tokens = `tokens: ${state.short_term_tokens} short-term, ${state.long_term_tokens} long-term, ${state.archive_tokens} archive`;
    const bytes = `${megabytes(state.device_bytes)} device, ${megabytes(state.host_bytes)} host, ${megabytes(state.disk_bytes)} disk`;
    byId('sizes').textContent = `${state.paused ? 'paused · ' : ''}${tokens} · ${bytes}`;
    const names = state.cameras.map((camera) => camera.name);
    for (const figure of [...byId('cameras').querySelectorAll('figure')]) {
      if (!names.includes(figure.dataset.camera)) figure.remove();
    }
    state.cameras.forEach(showRates);
  },
  timeline(timeline) {
    const slider = byId('scrub');
    const follows = slider.disabled || slider.value === slider.max;
    slider.max = Math.max(0, timeline.frames.length - 1);
    slider.disabled = !timeline.frames.length;
    if (follows) slider.value = slider.max;
    known.timeline = timeline;
    redraw();
  },
  answered(answered) {
    known.answered = answered;
    redraw();
  },
  events(events) {
    known.events = events;
    list('events', events.toReversed(), (event) => [clock(event.stamp), event.camera, event.words].filter(Boolean).join('  '));
    redraw();
  },
  answer(answer) {
    grow(byId('answer'), answer.answer);
    const asking = !('status' in answer);
    byId('cancel').disabled = !asking;
    byId('send').disabled = asking || document.body.classList.contains('gone');
    byId('verdict').textContent = asking ? `${answer.phase} …` : verdict(answer);
    byId('evidence').replaceChildren(...(answer.evidence ?? []).map(evidenceFigure));
  },
  frame({ key, camera, stamp, tiers, pose, picture }) {
    if (key !== shownFrame) return;
    byId('frame').hidden = !picture;
    if (picture) byId('frame').src = picture;
    byId('frame').alt = `${camera} at ${clock(stamp)}`;
    byId('frame-told').textContent = [camera, clock(stamp), ...tiers.map((tier) => tier.replace('_', '-')), place(pose)].filter(Boolean).join(', ');
  },
  watches(watches) {
    const rows = watches.map((watch) => {
      const every = watch.every_frames ? `${watch.every_frames} frames` : span(watch.period);
      const said = watch.answer ? `${watch.answer} (${percent(watch.confidence)})` : 'no answer yet';
      const button = element('button', 'Remove');
      button.type = 'button';
      button.setAttribute('aria-label', `Remove the watch ${watch.question}`);
      button.onclick = () => send({ do: 'unwatch', id: watch.id });
      const row = element('li', '', 'watch');
      row.append(element('span', `${watch.question} every ${every}: ${said}, ${watch.events} events`), button);
      return row;
    });
    byId('watches').replaceChildren(...rows);
  },
  watch_events(events) {
    list('watch_events', events.toReversed(), (event) => `${clock(event.stamp)}  ${event.question} ${event.reason}: ${event.answer} (${percent(event.confidence)})`);
  },
  health(healths) {
    list('health', healths, ({ task, message }) => `${task}: ${message}`, ({ level }) => level);
  },
  viewers({ viewers, passed_over }) {
    byId('viewers').textContent = `${viewers} looking; ${passed_over} pictures passed over for slow viewers`;
  },
  survey: (said) => banner('problem', said),
  problem: (said) => banner('problem', said),
};

function connect() {
  socket = new WebSocket(`${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/live`);
  socket.onopen = () => { banner('presence', ''); look(); };
  socket.onmessage = ({ data }) => {
    const { about, content } = JSON.parse(data);
    if (about.startsWith('picture/')) showPicture(content);
    else show[about](content);
  };
  socket.onclose = () => {
    banner('presence', 'No connection to livevlm view. This page tries again by itself.');
    document.body.classList.add('gone');
    byId('send').disabled = byId('cancel').disabled = true;
    setTimeout(connect, RETRY_MS);
  };
}

function send(request) {
  if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(request));
}

function look() {
  send({ do: 'look', looks: !document.hidden });
}

function ask(event) {
  event.preventDefault();
  const { question, lookback, camera, budget } = event.target.elements;
  banner('problem', '');
  byId('answer').textContent = byId('verdict').textContent = '';
  byId('evidence').replaceChildren();
  byId('cancel').disabled = false;
  byId('send').disabled = true;
  send({
    do: 'ask', question: question.value, now: lookback.value === 'now',
    lookback: Number(lookback.value) || 0, cameras: camera.value ? [camera.value] : [],
    budget: Number(budget.value),
  });
}

function watch(event) {
  event.preventDefault();
  const { question, period } = event.target.elements;
  banner('problem', '');
  send({ do: 'watch', question: question.value, period: Number(period.value) });
  event.target.reset();
}

function chooseFrame() {
  const frame = known.timeline.frames[byId('scrub').value];
  if (!frame || frame.key === shownFrame) return;
  shownFrame = frame.key;
  send({ do: 'frame', key: frame.key });
}

function redraw() {
  byId('timeline').replaceChildren(drawTimeline(known.timeline, known.answered.read, known.events));
}

function offerCameras(names) {
  const select = byId('camera');
  const offered = [...select.options].slice(1).map((option) => option.value);
  if (offered.join('\n') === names.join('\n')) return;
  const chosen = select.value;
  select.replaceChildren(new Option('all', ''), ...names.map((name) => new Option(name, name)));
  select.value = names.includes(chosen) ? chosen : '';
}

function cameraFigure(name) {
  let figure = [...byId('cameras').children].find((child) => child.dataset.camera === name);
  if (!figure) {
    if (!byId('cameras').querySelector('figure')) byId('cameras').replaceChildren();
    figure = element('figure');
    figure.dataset.camera = name;
    const image = element('img');
    image.alt = `Live picture of camera ${name}`;
    figure.append(image, element('figcaption', name));
    byId('cameras').append(figure);
  }
  return figure;
}

function showPicture({ camera, picture }) {
  cameraFigure(camera).querySelector('img').src = picture;
}

function showRates({ name, fps_in, fps_used, frame_age, alive }) {
  const age = frame_age === null ? 'nothing remembered yet' : `newest remembered ${span(frame_age)} old`;
  const rates = alive ? `${fps_in} images a second, ${fps_used} remembered` : 'no images';
  cameraFigure(name).querySelector('figcaption').textContent = `${name}: ${rates}, ${age}`;
}

function evidenceFigure({ camera, stamp, age, score, pose, picture }) {
  const figure = element('figure');
  const said = [camera, clock(stamp), `${span(age)} before`, percent(score), place(pose)].filter(Boolean).join(', ');
  if (picture) {
    const image = element('img');
    image.src = picture;
    image.alt = `Evidence: ${said}`;
    figure.append(image);
  }
  figure.append(element('figcaption', said));
  return figure;
}

function verdict({ status, message, confidence, frames_considered, total_ms, budget_ms }) {
  if (total_ms === undefined) return message;
  const facts = `${status.toLowerCase().replace('_', ' ')}, confidence ${percent(confidence)}, ${frames_considered} frames, ${total_ms.toFixed(0)} ms of ${budget_ms.toFixed(0)}`;
  return message ? `${facts}: ${message}` : facts;
}

function list(id, items, words, kind = () => '') {
  const rows = items.slice(0, SHOWN_EVENTS).map((item) => element('li', words(item), kind(item)));
  byId(id).replaceChildren(...rows);
}

function element(name, text = '', kind = '') {
  const made = document.createElement(name);
  made.textContent = text;
  made.className = kind;
  return made;
}

// What is new is added, so that a screen reader reads it once.
function grow(element, text) {
  const said = element.textContent;
  if (text.startsWith(said)) element.append(text.slice(said.length));
  else element.textContent = text;
}

function banner(id, said) {
  byId(id).textContent = said;
  byId(id).hidden = !said;
}

// Stamps of a simulated clock count from 0; others are dates.
function clock(stamp) {
  return stamp < 1e8 ? `${stamp.toFixed(1)} s` : new Date(stamp * 1000).toLocaleTimeString();
}

const place = (pose) => (pose ? `at x ${pose[0]}, y ${pose[1]}, z ${pose[2]} m` : '');
const percent = (share) => `${Math.round(share * 100)} %`;
const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;

byId('ask').addEventListener('submit', ask);
byId('watch').addEventListener('submit', watch);
byId('cancel').addEventListener('click', () => send({ do: 'cancel' }));
byId('scrub').addEventListener('input', chooseFrame);
document.addEventListener('visibilitychange', look);
connect();
