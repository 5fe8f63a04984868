function start() {
  document.documentElement.classList.add('js');
  document.documentElement.classList.toggle('listed', listed);
  document.documentElement.classList.toggle('wall', wall);
  main.classList.toggle('many', cameras.length > 1 || wall);
  const pauseAll = document.getElementById('pause-all');
  pauseAll.hidden = cameras.length < 2;
  pauseAll.addEventListener('click', () => pause(cameras, !cameras.every(({ paused }) => paused)));
  const toWall = document.getElementById('to-wall');
  toWall.hidden = cameras.length < 2 && !wall;
  leadToWall();
  if (wall) {
    toWall.title = 'Leave the wall';
    toWall.querySelector('span').textContent = toWall.title;
    toWall.querySelector('use').setAttribute('href', '#close');
  }
  offerAlerts();
  document.querySelector('.keys').hidden = false;
  document.querySelector('.keys .of-video').hidden = !programs.has('video');
  document.querySelector('.keys .of-list').hidden = !listed;
  cameras.forEach((camera, index) => { camera.index = index; });
  if (listed) startList();
  else cameras.forEach((camera) => { furnished.add(camera); listen(camera); });
  fill(null);
  enlarge(null);
  pause(cameras, false);
  watchScreen();
  addresses.querySelector('.close').addEventListener('click', () => addresses.close());
  addresses.addEventListener('click', (event) => { if (event.target === addresses) addresses.close(); }); // beside it
  window.addEventListener('resize', layOut);
  document.addEventListener('keydown', onKey);
  document.addEventListener('fullscreenchange', () => { if (!document.fullscreenElement) fill(null); });
  window.addEventListener('online', () => cameras.forEach((camera) => { camera.ladder.reset(); camera.reconsider?.(); }));
  if (main.dataset.root && !wall && programs.has('video')) becomePlayer();
  let watching = new AbortController();
  const look = () => {
    watching.abort();
    watching = new AbortController();
    if (document.hidden) windows.leave();
    else windows.enter();
    assign();
    if (document.hidden) return;
    pollStatus(watching.signal);
    pollSnapshots(watching.signal);
  };
  document.addEventListener('visibilitychange', look);
  look();
  setInterval(() => { if (!document.hidden) furnished.forEach(render); }, 500);
}

start();
