// The live page's script: asks /api/status once a second and draws the answer. It is put into the document by page.ts.
// Whatever comes from the job becomes text nodes: names and messages are never read as HTML.
/** @typedef {import('../status.ts').DashboardStatus} Status */

const pollMs = 1000
const lineWidth = 119
const lineHeight = 30
const barWidth = 160
const svg = 'http://www.w3.org/2000/svg'
const digits = new Intl.NumberFormat('en', { maximumFractionDigits: 0 })

/** @type {(id: string) => HTMLElement} */
function element(id) {
  const found = document.querySelector(`#${id}`)
  if (!(found instanceof HTMLElement || found instanceof SVGElement)) throw new Error(`the page has no ${id}`)
  return /** @type {HTMLElement} */ (found)
}

/** @type {(value: number | null) => string} */
const number = (value) => (value === null ? 'unknown' : digits.format(value))

/** @type {(ms: number) => string} */
function duration(ms) {
  if (ms < 1000) return `${digits.format(ms)} ms`
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`
  const minutes = Math.floor(ms / 60_000)
  if (minutes < 60) return `${String(minutes)} min ${String(Math.floor((ms % 60_000) / 1000))} s`
  return `${digits.format(Math.floor(minutes / 60))} h ${String(minutes % 60)} min`
}

/** @type {(ms: number | null) => string} */
const upTo = (ms) => (ms === null ? '> 10 s' : duration(ms))

/** @type {(state: string) => string} */
function stateClass(state) {
  if (state === 'failed') return 'bad'
  if (state === 'ended') return 'over'
  return ['running', 'idle', 'committing'].includes(state) ? 'good' : 'busy'
}

/** @type {(content: string | Node, className?: string) => HTMLTableCellElement} */
function cell(content, className = '') {
  const created = document.createElement('td')
  created.className = className
  created.append(content)
  return created
}

/** @type {(name: string, ...cells: readonly HTMLTableCellElement[]) => HTMLTableRowElement} */
function row(name, ...cells) {
  const created = document.createElement('tr')
  const head = document.createElement('th')
  head.scope = 'row'
  head.textContent = name
  created.append(head, ...cells)
  return created
}

/** @type {(id: string, rows: readonly HTMLTableRowElement[], nothing: string) => void} */
function fill(id, rows, nothing) {
  const empty = document.createElement('tr')
  const words = cell(nothing)
  words.colSpan = 20
  empty.append(words)
  element(id).replaceChildren(...(rows.length === 0 ? [empty] : rows))
}

/**
 * The last two minutes; where a value was not known the line has a gap.
 *
 * @type {(id: string, values: readonly (number | null)[]) => void}
 */
function line(id, values) {
  const top = Math.max(1, ...values.map((value) => value ?? 0))
  const step = lineWidth / Math.max(1, values.length - 1)
  let draw = ''
  let pen = 'M'
  for (const [index, value] of values.entries()) {
    if (value !== null) {
      const y = lineHeight - 1 - (value / top) * (lineHeight - 2)
      draw += `${pen}${(index * step).toFixed(1)} ${y.toFixed(1)}`
    }
    pen = value === null ? 'M' : 'L'
  }
  const path = document.createElementNS(svg, 'path')
  path.setAttribute('d', draw)
  element(id).replaceChildren(path)
}

/** @typedef {Status['checkpoints']['last'][number]['phases']} Phases */

/** @type {(phases: Phases, longestMs: number) => SVGElement} */
function bar({ drainMs, commitMs, applyMs }, longestMs) {
  const created = document.createElementNS(svg, 'svg')
  created.setAttribute('class', 'bar')
  created.setAttribute('viewBox', `0 0 ${String(barWidth)} 10`)
  created.setAttribute('role', 'img')
  const label = `drain ${duration(drainMs)}, commit ${duration(commitMs)}, apply ${duration(applyMs)}`
  created.setAttribute('aria-label', label)
  let x = 0
  for (const [phase, ms] of Object.entries({ drain: drainMs, commit: commitMs, apply: applyMs })) {
    const width = (ms / longestMs) * barWidth
    const part = document.createElementNS(svg, 'rect')
    part.setAttribute('class', phase)
    part.setAttribute('x', String(x))
    part.setAttribute('width', String(width))
    part.setAttribute('height', '10')
    created.append(part)
    x += width
  }
  return created
}

/** @type {(phases: Phases) => number} */
const checkpointMs = ({ drainMs, commitMs, applyMs }) => drainMs + commitMs + applyMs

/** @type {(last: Status['checkpoints']['last'], nowMs: number) => readonly HTMLTableRowElement[]} */
function checkpointRows(last, nowMs) {
  const longestMs = Math.max(1, ...last.map(({ phases }) => checkpointMs(phases)))
  return last.map(({ epoch, partition, records, cut, phases, atMs }) =>
    row(
      number(epoch),
      cell(String(partition)),
      cell(number(records)),
      cell(duration(phases.emitMs)),
      cell(cut),
      cell(duration(checkpointMs(phases))),
      cell(bar(phases, longestMs), 'words'),
      cell(nowMs - atMs < 1000 ? 'now' : duration(nowMs - atMs)),
    ),
  )
}

/** @type {(step: Status['steps'][number]) => HTMLTableRowElement} */
function stepRow({ name, kind, subject, records, lookup }) {
  const head = [cell(subject === '' ? kind : subject, 'words'), cell(number(records))]
  if (lookup === null) return row(name, ...head, ...Array.from({ length: 8 }, () => cell('')))
  const counts = (/** @type {string[]} */ ...names) => names.map((figure) => Number(lookup[figure] ?? 0))
  const figures = counts('hits', 'misses', 'inFlight').map((value) => cell(number(value)))
  const latencies = [lookup.latency?.p50Ms, lookup.latency?.p99Ms].map((ms) => cell(ms === undefined ? '–' : upTo(ms)))
  const troubles = counts('retries', 'timeouts', 'outages').map((value) => cell(number(value), value > 0 ? 'busy' : ''))
  return row(name, ...head, ...figures, ...latencies, ...troubles)
}

/** @type {(task: Status['tasks'][number]) => HTMLTableRowElement} */
function taskRow({ partition, state, epoch, records, lag, pending, gateClosedMs, trouble }) {
  return row(
    String(partition),
    cell(state, stateClass(state)),
    cell(epoch === null ? '–' : number(epoch)),
    cell(number(records)),
    cell(number(lag)),
    cell(number(pending)),
    cell(duration(gateClosedMs)),
    cell(trouble === null ? '' : `${trouble.code}: ${trouble.message}`, 'words bad'),
  )
}

/** @type {(checkpoints: Status['checkpoints']) => string} */
function epochsText({ committed, aborted, restarts }) {
  const attempts = aborted.reduce((sum, { count }) => sum + count, 0)
  const restarted = restarts === 0 ? '' : `, ${number(restarts)} restarted`
  return `${number(committed)} epochs, ${number(attempts)} aborted${restarted}`
}

/**
 * Writes a text only when it changes, so that a screen reader is told once.
 *
 * @type {(id: string, text: string) => void}
 */
function say(id, text) {
  if (element(id).textContent !== text) element(id).textContent = text
}

/** @type {(status: Status) => void} */
function show(status) {
  const { checkpoints, deadLetters, series, failure, moreTasks } = status
  document.title = `${status.job}: ${number(status.recordsPerSecond)} records/s`
  say('job', status.job)
  say('phase', status.phase)
  element('phase').className = `state ${stateClass(status.phase)}`
  say('about', `${status.world}, for ${duration(status.elapsedMs)}`)
  say('notice', failure === null ? '' : `${failure.code}: ${failure.message}`)
  say('rate', number(status.recordsPerSecond))
  say('lag', number(status.lag))
  say('flight', number(status.inFlight))
  say('dead', number(deadLetters.total))
  say('committed', number(status.recordsCommitted))
  say('epochs', epochsText(checkpoints))
  line('rate-line', series.recordsPerSecond)
  line('lag-line', series.lag)
  line('flight-line', series.inFlight)
  line('dead-line', series.deadLetters)
  fill('checkpoints', checkpointRows(checkpoints.last, status.nowMs), 'None yet.')
  const reason = (/** @type {Status['deadLetters']['byCode'][number]} */ { code, meaning, count }) =>
    row(code, cell(meaning, 'words'), cell(number(count)))
  fill('reasons', deadLetters.byCode.map(reason), 'None.')
  fill('aborts', checkpoints.aborted.map(reason), 'None.')
  fill('steps', status.steps.map(stepRow), 'The job is still being planned.')
  fill('tasks', status.tasks.map(taskRow), 'No partition is assigned to this process.')
  say('more-tasks', moreTasks === 0 ? '' : `And ${number(moreTasks)} more.`)
  const tally = (/** @type {Status['tallies'][number]} */ { name, count }) => row(name, cell(number(count)))
  fill('tallies', status.tallies.map(tally), 'Nothing.')
}

/** The page itself says after five seconds that the job does not answer. */
const patienceMs = 10_000

let paused = false
let polling = false
let answeredAt = new Date()

async function poll() {
  if (paused || polling) return
  polling = true
  try {
    // Through a tunnel that has died, no answer ever comes.
    const response = await fetch('/api/status', { cache: 'no-store', signal: AbortSignal.timeout(patienceMs) })
    if (!response.ok) throw new Error(`status ${String(response.status)}`)
    show(/** @type {Status} */ (await response.json()))
    answeredAt = new Date()
  } catch {
    say(
      'notice',
      `No answer since ${answeredAt.toLocaleTimeString()}; the run has probably ended. Below is its last state.`,
    )
  } finally {
    polling = false
  }
}

element('pause').addEventListener('click', () => {
  paused = !paused
  say('pause', paused ? 'Go on' : 'Pause updates')
  void poll()
})
setInterval(() => void poll(), pollMs)
void poll()
