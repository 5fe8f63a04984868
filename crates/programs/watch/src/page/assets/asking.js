// Why this file exists: the rules of the page of alerts. It shows which there are, what each needs and what it is in, and lets
// a user who may make one in words, try it on the picture of now, and delete it. page.js, which is read before it, has the rest.
'use strict';

const rulesDialog = find('#rules');
const form = rulesDialog.querySelector('form');
const STATES = { quiet: 'quiet', asked: 'being asked', standing: 'standing' };

let overview = null;

function say(text, is_error = false) {
  const said = rulesDialog.querySelector('.said');
  said.textContent = text;
  said.classList.toggle('is-error', is_error);
}

async function learnRules() {
  try {
    overview = await ask('rules');
  } catch (error) {
    say(`No rules: ${error.message}`, true);
    return;
  }
  titles = new Map(overview.cameras.filter(({ title }) => title).map(({ name, title }) => [name, title]));
  for (const { name, rules } of overview.cameras) {
    offer(filter.camera, name, titleOf(name));
    for (const rule of rules) offer(filter.rule, rule.name, rule.name);
  }
  rights = overview.rights;
  alerts.forEach(renderCard);
  render();
  if (rulesDialog.open) showRules();
}

function ruleLine(camera, rule) {
  const state = rule.state ? STATES[rule.state] ?? rule.state : 'no state';
  const line = element('div', { className: 'rule' },
    element('p', { className: 'asked-for', textContent: rule.asked ? `${rule.name}: ${rule.asked}` : rule.name }),
    element('span', { className: 'state', textContent: rule.since ? `${state} since ${moment(rule.since)}` : state }),
    element('p', { className: 'about', textContent: `${JUDGES[rule.judge] ?? rule.judge}; needs ${rule.needs}${rule.questions_a_day ? `; at most ${rule.questions_a_day} questions a day, of all cameras together` : ''}` }),
    rule.notify.length ? element('p', { className: 'about', textContent: `told to ${rule.notify.join(', ')}` }) : null,
    rule.made_here ? element('p', { className: 'about', textContent: `made here by ${rule.author}${rule.made ? `, ${moment(rule.made)}` : ''}` }) : null);
  line.querySelector('.state').dataset.state = rule.state ?? '';
  if (rule.made_here && rights.change) {
    const button = element('button', { type: 'button', className: 'button', textContent: 'Delete' });
    button.setAttribute('aria-label', `Delete rule ${rule.name} of ${titleOf(camera)}`);
    button.addEventListener('click', () => deleteRule(camera, rule, button));
    line.append(button);
  }
  return line;
}

function showRules() {
  const sections = overview.cameras.map(({ name, watching, blind, rules, error }) => {
    const state = blind ? `cannot see: ${CAUSES[blind] ?? blind}` : watching ? 'is watched' : 'is not watched now';
    return element('section', {},
      element('h3', {}, titleOf(name), element('small', { className: blind ? 'is-blind' : '', textContent: state })),
      ...rules.map((rule) => ruleLine(name, rule)),
      rules.length ? null : element('p', { className: 'about', textContent: 'no rules' }),
      error ? element('p', { className: 'about', textContent: error }) : null);
  });
  rulesDialog.querySelector('.cameras').replaceChildren(...sections);
  const { change, why } = overview.rights;
  form.hidden = !change || !overview.model;
  const may_not = rulesDialog.querySelector('.may-not');
  may_not.hidden = !form.hidden;
  may_not.textContent = change
    ? 'Rules in words need [watch.model] in the configuration.'
    : `Rules cannot be made here: ${why}.`;
  if (form.hidden) return;
  form.says.maxLength = overview.most_characters;
  for (const { name } of overview.cameras) offer(form.camera, name, titleOf(name));
  if (!form.camera.value) form.camera.selectedIndex = 0;
  const { model, host, a_day, an_hour } = overview.model;
  find('#cost').textContent = `Up to three pictures of each question go to ${model} at ${host}, when something has moved. All rules in words of a camera are one question; `
    + `of all cameras together there are at most ${an_hour} an hour and ${a_day} a day. To try costs one.`;
  offerWays(overview.ways);
}

async function openRules() {
  say('');
  await learnRules();
  if (!overview) return;
  showRules();
  rulesDialog.showModal();
  rulesDialog.querySelector('h2').focus();
}

// Does it with the buttons out of reach meanwhile.
async function busy(doing) {
  const buttons = [...rulesDialog.querySelectorAll('.button:not(.close)')];
  buttons.forEach((button) => { button.disabled = true; });
  try {
    await doing();
  } catch (error) {
    say(error.message, true);
  }
  buttons.forEach((button) => { button.disabled = false; });
}

const wanted = () => ({ camera: form.camera.value, says: form.says.value.trim() });

// The ways are the configuration's. What is chosen stays so while the list of rules is read again.
function offerWays(ways) {
  const place = find('#ways');
  place.hidden = !ways.length;
  const before = new Map([...place.querySelectorAll('input')].map((box) => [box.value, box.checked]));
  const boxes = ways.map(({ name, how, usual }) => {
    const box = element('input', { type: 'checkbox', name: 'notify', value: name, checked: before.get(name) ?? usual });
    return element('label', {}, box, ` ${name} (${how})`);
  });
  place.replaceChildren(place.querySelector('legend'), ...boxes);
}

const chosenWays = () => [...form.querySelectorAll('#ways input:checked')].map((box) => box.value);

function tryRule() {
  if (!form.reportValidity()) return;
  busy(async () => {
    say('Asking …');
    const { answer, reason, seen, confidence, took_ms } = await ask('rules/try', 'POST', wanted());
    const sure = confidence === null ? '' : `, sure: ${share(confidence)}`;
    const lines = [
      `${answer ? `Answer: ${answer}` : 'No answer that can be read'}${sure}${took_ms === null ? '' : ` (${lasted(took_ms)})`}`,
      reason && `Why: ${reason}`,
      seen && `In the picture: ${seen}`,
    ];
    say(lines.filter(Boolean).join('\n'));
  });
}

function makeRule(event) {
  event.preventDefault();
  busy(async () => {
    const { name, camera } = await ask('rules', 'POST', { ...wanted(), notify: chosenWays() });
    form.says.value = '';
    await learnRules();
    say(`Rule ${name} of ${titleOf(camera)} is made.`);
  });
}

function deleteRule(camera, { name }, button) {
  if (button.dataset.sure !== 'yes') {
    button.dataset.sure = 'yes';
    button.textContent = 'Really delete';
    return;
  }
  busy(async () => {
    await ask(`rules/${camera}/${name}`, 'DELETE');
    await learnRules();
    say(`Rule ${name} of ${titleOf(camera)} is deleted.`);
    rulesDialog.querySelector('h2').focus();
  });
}

form.querySelector('.try').addEventListener('click', tryRule);
form.addEventListener('submit', makeRule);
find('#open-rules').addEventListener('click', openRules);
document.addEventListener('rules', learnRules);
learnRules();
