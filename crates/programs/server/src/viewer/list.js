// ---- a list ----

const filter = document.getElementById('filter');

// Shows the cameras whose names, with that of their host, have all these words in them. A host with none is not shown, and
// one with some is open for as long as that is asked for.
function filterBy(text) {
  if (filter.value !== text) filter.value = text;
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const found = new Map(); // hosts with some
  let count = 0;
  for (const camera of cameras) {
    const has = words.every((word) => camera.sought.includes(word));
    if (camera.card.hidden === has) camera.card.hidden = !has;
    if (!has) continue;
    count++;
    found.set(camera.host, (found.get(camera.host) ?? 0) + 1);
  }
  for (const host of document.querySelectorAll('.host')) {
    host.hidden = !found.has(host);
    setText(host.querySelector('.host-count'), String(found.get(host) ?? 0));
    setOpen(host, words.length > 0 || !closedHosts.has(host.dataset.host));
  }
  document.getElementById('none').hidden = count > 0;
  if (enlarged?.card.hidden) enlarge(null);
  setText(document.getElementById('found'), words.length ? `${count} of ${cameras.length}` : `${cameras.length} cameras`);
  const url = new URL(location.href);
  if (words.length) url.searchParams.set('filter', text);
  else url.searchParams.delete('filter');
  history.replaceState(null, '', `${url.pathname}${url.search.replace(/=(?=&|$)/g, '')}`);
  leadToWall();
}

function setOpen(host, open) {
  if (host.open !== open) host.open = open;
}

// The hosts whose cameras a person has put away, for as long as the browser remembers.
const closedHosts = {
  key: `eyelid closed ${root.pathname}`,
  names: null,
  all() {
    if (this.names) return this.names;
    try { this.names = new Set(JSON.parse(localStorage.getItem(this.key) ?? '[]')); } catch { this.names = new Set(); }
    return this.names;
  },
  has(name) { return this.all().has(name); },
  set(name, closed) {
    if (closed) this.all().add(name);
    else this.all().delete(name);
    try { localStorage.setItem(this.key, JSON.stringify([...this.all()])); } catch { /* not to be helped */ }
  },
};

// Opens or closes all hosts.
function openAll(open) {
  for (const host of document.querySelectorAll('.host')) {
    closedHosts.set(host.dataset.host, !open);
    setOpen(host, open);
  }
}

// Watches which cards are on the screen, which close to it, and which headings are seen. What leaves the screen is not
// looked at from that moment on; what comes onto it is when it has stayed there for a moment.
function watchScreen() {
  const of = new Map(cameras.map((camera) => [camera.card, camera]));
  const coming = new Map(); // cameras, and when each is to be looked at
  let timer = null;
  const settle = () => {
    timer = null;
    const now_ms = performance.now();
    for (const [camera, at_ms] of coming) {
      if (at_ms > now_ms) continue;
      coming.delete(camera);
      camera.on_screen = true;
    }
    assign();
    wait();
  };
  const wait = () => {
    if (coming.size && timer === null) timer = setTimeout(settle, Math.max(0, Math.min(...coming.values()) - performance.now()));
  };
  const seen = new IntersectionObserver((entries) => {
    const at_ms = performance.now() + (listed ? ON_SCREEN_MS : 0);
    for (const { target, isIntersecting } of entries) {
      const camera = of.get(target);
      if (isIntersecting) {
        if (!camera.on_screen) coming.set(camera, at_ms);
        continue;
      }
      coming.delete(camera);
      if (!camera.on_screen) continue;
      camera.on_screen = false;
      camera.enter('off', '');
      timer ??= setTimeout(settle, 0); // others may have its connection
    }
    wait();
  }, { rootMargin: listed ? '0px' : '100% 0px' }); // a page of few has what is about to be seen
  cameras.forEach(({ card }) => seen.observe(card));
  if (!listed) return;
  const close = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      const camera = of.get(target);
      if (isIntersecting && !furnished.has(camera)) camera.furnish();
      else if (!isIntersecting && furnished.has(camera) && camera !== enlarged && !isFilled(camera) && !target.contains(document.activeElement)) camera.strip();
    }
  }, { rootMargin: '50% 0px' });
  cameras.forEach(({ card }) => close.observe(card));
  const headings = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) target.parentElement.classList.toggle('seen', isIntersecting);
  });
  document.querySelectorAll('.host > summary').forEach((summary) => headings.observe(summary));
}

function leadToWall() {
  const text = filter?.value ? `filter=${encodeURIComponent(filter.value)}` : '';
  const query = [wall ? '' : 'wall', text].filter(Boolean).join('&');
  document.getElementById('to-wall').href = `${location.pathname}${query && '?'}${query}`;
}

function startList() {
  document.getElementById('find').hidden = false;
  const hosts = [...document.querySelectorAll('.host')];
  const first = new Set();
  for (const camera of cameras) {
    camera.sought = `${camera.name} ${camera.label}`.toLowerCase();
    if (camera.host !== null && !first.has(camera.host)) heads.push(camera);
    first.add(camera.host);
  }
  for (const host of hosts) {
    host.querySelector('summary').addEventListener('click', () => {
      if (!filter.value) closedHosts.set(host.dataset.host, host.open); // it is about to change
    });
  }
  const all = document.getElementById('open-all');
  all.hidden = hosts.length < 2;
  const say = () => {
    const open = hosts.some((host) => host.open);
    setButton(all, open ? 'fold' : 'unfold', open ? 'Close all' : 'Open all');
  };
  hosts.forEach((host) => host.addEventListener('toggle', () => {
    say();
    if (!host.open && enlarged?.host === host) enlarge(null);
  }));
  all.addEventListener('click', () => openAll(!hosts.some((host) => host.open)));
  say();
  let timer;
  filter.addEventListener('input', () => {
    clearTimeout(timer);
    timer = setTimeout(() => filterBy(filter.value), 100);
  });
  filterBy(new URLSearchParams(location.search).get('filter') ?? '');
}

