/* The page's own script: the steps, one after the other, and what they share. It runs in a sandboxed frame
 * and keeps everything in memory; leave() drops it all. No text ever becomes markup. */
'use strict';
(() => {
  /* No policy of a page stops this one channel to the outside, so it goes before anything else runs. */
  for (const name of ['RTCPeerConnection', 'webkitRTCPeerConnection', 'mozRTCPeerConnection', 'RTCDataChannel']) {
    delete window[name];
    Object.defineProperty(window, name, { value: undefined, writable: false, configurable: false });
  }

  const WORDS = /*@WORDS@*/ null;
  const TOOL = /*@TOOL_NAME@*/ null;
  const STEPS = ['safe', 'age', 'rules', 'choose', 'report', 'code', 'save', 'next'];
  const PICTURES_MAX = 2000;
  const QUALITY_FLOOR = 50;
  const PICTURE_MS_MAX = 60000;
  const LEAVE_KEY_MS = 1500;

  const find = (id) => document.getElementById(id);

  let state = {
    step: 'start',
    age: null,
    pictures: [],
    nextNumber: 1,
    kase: null, /* { code, number } */
    report: null, /* { text, day, count } */
    isSaved: false,
    language: navigator.language.toLowerCase().startsWith('cy') ? 'cy' : 'en-GB',
  };

  /* --- Words -------------------------------------------------------------------------------- */

  function say(key, values = {}) {
    return WORDS[state.language].texts[key].replace(/\{(\w+)\}/g, (_, name) => values[name]);
  }

  function make(tag, properties = {}, ...children) {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  }

  function contactOf({ name, reason, phone, address }) {
    const item = make('li', {}, make('span', { className: 'who', textContent: name }), ` – ${reason}`);
    for (const way of [phone, address].filter((text) => text !== '')) {
      item.append(make('span', { className: 'reach', textContent: way }));
    }
    return item;
  }

  function showWords() {
    document.documentElement.lang = state.language;
    for (const element of document.querySelectorAll('[data-t]')) {
      element.textContent = say(element.dataset.t);
    }
    for (const list of document.querySelectorAll('[data-contacts]')) {
      const order = list.dataset.contacts.split(' ');
      const contacts = order.flatMap((who) => WORDS[state.language].contacts.filter((c) => c.who === who));
      list.replaceChildren(...contacts.map(contactOf));
    }
    find('leave').title = say('leave_hint');
    find('language').lang = state.language === 'cy' ? 'en-GB' : 'cy';
    for (const problem of document.querySelectorAll('.problem, [role="status"]')) {
      problem.textContent = '';
    }
    showStep();
    showPictures();
  }

  function switchLanguage() {
    state.language = state.language === 'cy' ? 'en-GB' : 'cy';
    find('statements').reset(); /* the sentences ticked were others */
    showWords();
  }

  /* --- Steps -------------------------------------------------------------------------------- */

  function showStep() {
    const number = STEPS.indexOf(state.step) + 1;
    find('step').textContent = number > 0 ? say('step_of', { n: number, all: STEPS.length }) : '';
    find('step').hidden = number === 0;
    for (const section of document.querySelectorAll('main > section')) {
      section.hidden = section.id !== `s-${state.step}`;
    }
    find('help').hidden = state.step === 'young' || state.step === 'next';
    const usable = usablePictures().length;
    find('report-count').textContent =
      usable === 1 ? say('report_in_imprints_one') : say('report_in_imprints', { n: usable });
  }

  function go(step) {
    state.step = step;
    for (const problem of document.querySelectorAll('.problem')) {
      problem.textContent = '';
    }
    showStep();
    window.scrollTo(0, 0);
    find(`s-${step}`).querySelector('h1').focus({ preventScroll: true });
  }

  function complain(id, text, focusOn) {
    find(id).textContent = text;
    focusOn?.focus();
  }

  /* --- Leaving ------------------------------------------------------------------------------ */

  let escapeAt = -Infinity;

  /* Blank first, then forget: whoever looks over a shoulder must see nothing at once. */
  function leave() {
    const label = state ? say('blank_label') : 'Notes';
    document.documentElement.className = 'blank';
    document.body.className = 'blank';
    const notes = make('textarea', { autocomplete: 'off', spellcheck: false });
    notes.setAttribute('aria-label', label);
    document.body.replaceChildren(notes);
    hasher.stop();
    keeper.stop();
    state = null;
    notes.focus();
  }

  function onKey(event) {
    if (event.key !== 'Escape' || !state) {
      return;
    }
    if (event.timeStamp - escapeAt < LEAVE_KEY_MS) {
      leave();
    }
    escapeAt = event.timeStamp;
  }

  /* --- Workers ------------------------------------------------------------------------------ */

  class Helper {
    #worker = null;
    #waiting = new Map();
    #next = 1;

    async start() {
      const address = URL.createObjectURL(new Blob([find('worker').textContent], { type: 'text/javascript' }));
      this.#worker = new Worker(address);
      this.#worker.onmessage = ({ data }) => this.#answer(data.id, data);
      this.#worker.onerror = () => this.stop();
      const text = find('module').textContent.trim();
      const module = text === '' ? null : Uint8Array.from(atob(text), (byte) => byte.charCodeAt(0));
      try {
        await this.ask('start', { module });
      } finally {
        URL.revokeObjectURL(address);
      }
    }

    #answer(id, data) {
      this.#waiting.get(id)?.(data);
      this.#waiting.delete(id);
    }

    /* The task's value; throws an Error whose message is the name of what went wrong. */
    async ask(task, values) {
      if (!this.#worker) {
        await this.start();
      }
      const id = this.#next++;
      const data = await new Promise((resolve) => {
        this.#waiting.set(id, resolve);
        this.#worker.postMessage({ id, task, ...values });
      });
      if (data.error) {
        throw new Error(data.error);
      }
      return data.value;
    }

    stop(reason = 'internal') {
      this.#worker?.terminate();
      this.#worker = null;
      for (const id of [...this.#waiting.keys()]) {
        this.#answer(id, { error: reason });
      }
    }
  }

  const hasher = new Helper(); /* may be stopped for a picture that never ends */
  const keeper = new Helper(); /* holds the code */

  /* --- Pictures ----------------------------------------------------------------------------- */

  const ERROR_WORDS = {
    image_empty: 'error_empty',
    image_unknown: 'error_unknown',
    image_unsupported: 'error_unsupported',
    image_malformed: 'error_malformed',
    image_truncated: 'error_truncated',
    image_too_large: 'error_too_large',
    image_too_complex: 'error_too_large',
    decoder_timeout: 'error_too_long',
    no_memory: 'error_memory',
    flat: 'error_flat',
    hidden: 'error_hidden',
    turned: 'error_turned',
  };

  const isLow = (picture) => picture.quality < QUALITY_FLOOR;
  const isUsable = (picture) => picture.status === 'done' && (!isLow(picture) || picture.isWanted);

  function isRepeated(picture) {
    return picture.status === 'done' && state.pictures.find(({ hash }) => hash === picture.hash) !== picture;
  }

  const usablePictures = () => state.pictures.filter((picture) => isUsable(picture) && !isRepeated(picture));
  const isBusy = () => state.pictures.some(({ status }) => status === 'waiting' || status === 'working');

  function pictureWords(picture) {
    if (picture.status === 'failed') {
      return say(ERROR_WORDS[picture.error] ?? 'error_other');
    }
    if (picture.status !== 'done') {
      return say(`picture_${picture.status}`);
    }
    if (isRepeated(picture)) {
      return say('picture_same');
    }
    return say(!isLow(picture) ? 'picture_ready' : picture.isWanted ? 'picture_low_in' : 'picture_low');
  }

  function pictureRow(picture) {
    const words = make('span', { textContent: pictureWords(picture) });
    words.className = picture.status === 'failed' ? 'is-bad' : '';
    const name = make('span', { className: 'name', textContent: say('picture', { n: picture.number }) });
    const row = make('li', {}, make('span', { className: 'what' }, name, ' – ', words));
    if (picture.status === 'done' && isLow(picture) && !isRepeated(picture)) {
      const box = make('input', { type: 'checkbox', checked: picture.isWanted, id: `low-${picture.number}` });
      box.onchange = () => {
        picture.isWanted = box.checked;
        showPictures();
        find(`low-${picture.number}`)?.focus();
      };
      row.append(make('label', {}, box, say('picture_low_include')));
    }
    const remove = make('button', { type: 'button', className: 'small-button', textContent: say('picture_remove') });
    remove.setAttribute('aria-label', say('picture_remove_n', { n: picture.number }));
    remove.onclick = () => removePicture(picture);
    row.append(remove);
    return row;
  }

  function showPictures() {
    find('choose-none').hidden = state.pictures.length > 0;
    find('pictures').replaceChildren(...state.pictures.map(pictureRow));
    showProgress();
  }

  /* Only the row of one picture: with many pictures a whole new list each time would take its time. */
  function showPicture(picture) {
    const at = state.pictures.indexOf(picture);
    if (at >= 0) {
      const row = find('pictures').children[at];
      const hadFocus = row.contains(document.activeElement);
      row.replaceWith(pictureRow(picture));
      if (hadFocus) {
        find('pictures').children[at].querySelector('button').focus();
      }
    }
    showProgress();
  }

  function showProgress() {
    const { pictures } = state;
    const done = pictures.filter(({ status }) => status === 'done' || status === 'failed').length;
    find('progress-box').hidden = pictures.length === 0;
    find('progress').max = Math.max(1, pictures.length);
    find('progress').value = done;
    find('progress-text').textContent =
      done < pictures.length
        ? say('progress', { n: done, all: pictures.length })
        : say('progress_done', { all: done, ready: done > 0 ? usablePictures().length : 0 });
  }

  function removePicture(picture) {
    const at = state.pictures.indexOf(picture);
    state.pictures.splice(at, 1);
    showPictures();
    const buttons = find('pictures').querySelectorAll('button');
    (buttons[Math.min(at, buttons.length - 1)] ?? find('files')).focus();
  }

  async function readPicture(picture) {
    picture.status = 'working';
    showPicture(picture);
    const late = setTimeout(() => hasher.stop('decoder_timeout'), PICTURE_MS_MAX);
    try {
      const { hash, quality } = await hasher.ask('picture', { file: picture.file });
      Object.assign(picture, { status: 'done', hash, quality });
    } catch (error) {
      Object.assign(picture, { status: 'failed', error: error.message });
    } finally {
      clearTimeout(late);
      picture.file = null; /* with its name */
    }
  }

  let isReading = false;

  async function readAll() {
    if (isReading) {
      return;
    }
    isReading = true;
    for (let next; state && (next = state.pictures.find(({ status }) => status === 'waiting')); ) {
      await readPicture(next);
      if (state) {
        showPicture(next);
      }
    }
    isReading = false;
  }

  function takeFiles(files) {
    if (state.age !== 'yes') {
      return;
    }
    const room = PICTURES_MAX - state.pictures.length;
    for (const file of [...files].slice(0, room)) {
      state.pictures.push({ number: state.nextNumber++, file, status: 'waiting', isWanted: false });
    }
    complain('choose-problem', files.length > room ? say('choose_too_many', { n: PICTURES_MAX }) : '');
    showPictures();
    readAll();
  }

  function leaveChoose() {
    if (isBusy()) {
      complain('choose-problem', say('choose_wait'));
    } else if (usablePictures().length === 0) {
      complain('choose-problem', say('choose_need_one'), find('files'));
    } else {
      go('report');
    }
  }

  /* --- Age ---------------------------------------------------------------------------------- */

  function answerAge() {
    const answer = new FormData(find('age-form')).get('age');
    if (!answer) {
      complain('age-problem', say('age_choose'), find('age-form').querySelector('input'));
      return;
    }
    state.age = answer;
    if (answer !== 'yes') {
      state.pictures = [];
      hasher.stop();
    }
    showPictures();
    go(answer === 'yes' ? 'rules' : 'young');
  }

  /* --- The report --------------------------------------------------------------------------- */

  async function makeReport() {
    const boxes = [...find('statements').querySelectorAll('input')];
    const open = boxes.find((box) => !box.checked);
    if (open) {
      complain('statements-problem', say('statements_missing'), open);
      return;
    }
    const items = usablePictures().map((picture) => ({ ...picture, file: null, isLow: isLow(picture) }));
    const day = new Date().toISOString().slice(0, 10);
    const random = crypto.getRandomValues(new Uint8Array(65536));
    const { code, number } = await keeper.ask('code', { random });
    const request = { day, statements: say('statements_text'), tool: TOOL, items };
    const { text } = await keeper.ask('report', request);
    random.fill(0);
    state.kase = { code, number };
    state.report = { text, day, count: items.length };
    state.isSaved = false;
    const groups = code.match(/\w+-?/g).map((group) => make('span', { textContent: group }));
    find('code').replaceChildren(...groups);
    find('case').textContent = number;
    find('save-text').value = text.replace(/ +"}\s*$/, '"}\n');
    go('code');
  }

  const plainCode = (text) => text.toUpperCase().replace(/[\s-]/g, '').replace(/O/g, '0').replace(/[IL]/g, '1');

  function checkCode() {
    if (plainCode(find('code-last').value) !== state.kase.code.slice(-4)) {
      complain('code-problem', say('code_check_wrong'), find('code-last'));
      return;
    }
    find('code-last').value = '';
    go('save');
  }

  function copyCode() {
    const text = make('textarea', { value: state.kase.code, readOnly: true });
    find('code').after(text);
    text.select();
    const isCopied = document.execCommand('copy');
    text.remove();
    find('code-copy').focus();
    find('code-status').textContent = say(isCopied ? 'code_copied' : 'code_copy_failed');
  }

  function offerFile(name, text) {
    const address = URL.createObjectURL(new Blob([text], { type: 'application/json' }));
    make('a', { href: address, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(address), 60000);
  }

  function saveReport() {
    offerFile('report.json', state.report.text);
    state.isSaved = true;
    find('save-status').textContent = say('save_saved');
    complain('save-problem', '');
  }

  /* From here on the code is nowhere but with its owner. */
  function leaveSave() {
    if (!state.isSaved && !find('save-details').open) {
      complain('save-problem', say('save_need'), find('save'));
      return;
    }
    state.kase = { number: state.kase.number };
    state.report = { day: state.report.day, count: state.report.count };
    find('code').textContent = '';
    find('save-text').value = '';
    keeper.stop();
    go('next');
  }

  /* --- Paper -------------------------------------------------------------------------------- */

  function print(title, rows) {
    const paper = find('paper');
    paper.replaceChildren(make('h1', { textContent: title }));
    for (const [label, value] of rows) {
      paper.append(make('p', { className: 'label', textContent: label }));
      paper.append(make('p', value === null ? { className: 'line' } : { className: 'case', textContent: value }));
    }
    paper.append(make('p', { textContent: say('record_keep') }), make('h2', { textContent: say('help_title') }));
    const contacts = WORDS[state.language].contacts.map(contactOf);
    paper.append(make('ul', { className: 'contacts' }, ...contacts));
    document.body.classList.add('is-printing');
    window.print();
  }

  function afterPrint() {
    document.body.classList.remove('is-printing');
    find('paper')?.replaceChildren();
  }

  function printCode() {
    print(say('record_code_title'), [[say('code_label'), state.kase.code], [say('case_label'), state.kase.number]]);
  }

  function printRecord() {
    print(say('record_title'), [
      [say('case_label'), state.kase.number],
      [say('record_day'), state.report.day],
      [say('record_count'), String(state.report.count)],
      [say('record_code_space'), null],
    ]);
  }

  /* --- With a code -------------------------------------------------------------------------- */

  async function readCode() {
    const box = find('have-code');
    find('have-found').hidden = true;
    find('have-saved').textContent = '';
    try {
      const { number } = await keeper.ask('read', { text: box.value.trim() });
      find('have-case').textContent = number;
      find('have-found').hidden = false;
      find('have-right').textContent = say('have_right');
      complain('have-problem', '');
      box.value = '';
    } catch {
      complain('have-problem', say('have_wrong'), box);
    }
  }

  async function saveKey(isWithdrawal) {
    const { text } = await keeper.ask('key', { isWithdrawal });
    const name = isWithdrawal ? 'withdrawal.json' : 'status.json';
    offerFile(name, text);
    find('have-saved').textContent = say('have_saved', { name });
  }

  /* --- Wiring ------------------------------------------------------------------------------- */

  function wireDrop() {
    const drop = find('drop');
    for (const [type, isOver] of [['dragover', true], ['dragleave', false], ['drop', false]]) {
      drop.addEventListener(type, (event) => {
        event.preventDefault();
        drop.classList.toggle('is-over', isOver);
      });
    }
    drop.addEventListener('drop', (event) => takeFiles(event.dataTransfer.files));
    /* A picture dropped beside the field would be shown by the browser. */
    for (const type of ['dragover', 'drop']) {
      document.addEventListener(type, (event) => event.preventDefault());
    }
  }

  /* The frame may submit no form, so a form is its button and the Enter key. */
  function wireForm(form, call) {
    form.querySelector('button.main').onclick = call;
    form.addEventListener('keydown', (event) => {
      if (event.key === 'Enter' && event.target.matches('input')) {
        event.preventDefault();
        call();
      }
    });
  }

  function wire() {
    for (const button of document.querySelectorAll('[data-go]')) {
      button.onclick = () => go(button.dataset.go);
    }
    for (const button of document.querySelectorAll('[data-leave]')) {
      button.onclick = leave;
    }
    const clicks = {
      leave, language: switchLanguage, 'choose-go': leaveChoose, 'code-copy': copyCode, 'code-print': printCode,
      save: saveReport, 'save-go': leaveSave, 'record-print': printRecord,
      'have-status': () => saveKey(false), 'have-withdraw': () => saveKey(true),
    };
    for (const [id, call] of Object.entries(clicks)) {
      find(id).onclick = call;
    }
    const forms = { 'age-form': answerAge, statements: makeReport, 'code-form': checkCode, 'have-form': readCode };
    for (const [id, call] of Object.entries(forms)) {
      wireForm(find(id), call);
    }
    find('files').onchange = ({ target }) => {
      takeFiles(target.files);
      target.value = '';
    };
    wireDrop();
    document.addEventListener('keydown', onKey, true);
    window.addEventListener('afterprint', afterPrint);
    window.addEventListener('pagehide', () => state && leave());
  }

  async function begin() {
    wire();
    showWords();
    find('main').hidden = false;
    try {
      await hasher.start();
    } catch {
      find('main').replaceChildren(make('p', { className: 'note', textContent: say('cannot_start') }));
    }
  }

  begin();
})();
