import { setImmediate } from 'node:timers/promises'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { loadPage } from '../../src/dashboard/page.ts'

/** As much of an element as the script uses. Text is text: there is no way to give it HTML. */
class FakeElement {
  className = ''
  scope = ''
  colSpan = 1
  readonly attributes = new Map<string, string>()
  readonly #listeners = new Map<string, () => void>()
  #children: (FakeElement | string)[] = []

  get textContent(): string {
    return this.#children.map((child) => (typeof child === 'string' ? child : child.textContent)).join('|')
  }

  set textContent(text: string) {
    this.#children = [text]
  }

  get children(): readonly FakeElement[] {
    return this.#children.filter((child) => typeof child !== 'string')
  }

  append(...children: (FakeElement | string)[]): void {
    this.#children.push(...children)
  }

  replaceChildren(...children: FakeElement[]): void {
    this.#children = children
  }

  setAttribute(name: string, value: string): void {
    this.attributes.set(name, value)
  }

  addEventListener(event: string, listener: () => void): void {
    this.#listeners.set(event, listener)
  }

  click(): void {
    this.#listeners.get('click')?.()
  }
}

/** Runs the page's script as a browser would, up to its first answer; `tick` is its timer. */
async function show(answer: () => Promise<unknown>) {
  const elements = new Map<string, FakeElement>()
  const byId = (id: string): FakeElement => {
    const found = elements.get(id) ?? new FakeElement()
    elements.set(id, found)
    return found
  }
  const document = {
    title: '',
    querySelector: (selector: string) => byId(selector.slice(1)),
    createElement: () => new FakeElement(),
    createElementNS: () => new FakeElement(),
  }
  let asked = 0
  let poll: () => void = () => undefined
  const script = /<script>([^]*)<\/script>/.exec(loadPage().html)?.[1] ?? ''
  runInNewContext(script, {
    document,
    HTMLElement: FakeElement,
    SVGElement: FakeElement,
    Intl,
    AbortSignal,
    fetch: async () => {
      asked += 1
      return { ok: true, json: answer }
    },
    setInterval: (callback: () => void) => {
      poll = callback
    },
  })
  await setImmediate()
  const tick = async (): Promise<void> => {
    poll()
    await setImmediate()
  }
  return { byId, document, tick, asked: () => asked }
}

const hostile = '<img src=x onerror=alert(1)>'

const status = {
  job: 'reconcile',
  world: 'embedded',
  phase: 'running',
  failure: null,
  nowMs: 1_000_000,
  elapsedMs: 83_000,
  recordsPerSecond: 12_345.6,
  recordsCommitted: 1_234_567,
  lag: null,
  inFlight: 17,
  deadLetters: { total: 3, byCode: [{ code: 'malformed-json', count: 3, meaning: 'Not JSON.' }] },
  checkpoints: {
    committed: 9,
    aborted: [{ code: 'pipeline-failed', count: 2, meaning: 'It threw.' }],
    restarts: 1,
    last: [
      {
        atMs: 995_000,
        partition: 2,
        epoch: 9,
        records: 100,
        cut: 'time',
        phases: { emitMs: 1000, drainMs: 30, commitMs: 10, applyMs: 0 },
      },
    ],
  },
  gateClosedMs: 5,
  steps: [
    { name: hostile, kind: 'fromKafka', subject: hostile, records: 5, lookup: null },
    {
      name: 'asyncLookup',
      kind: 'asyncLookup',
      subject: 'cassandra',
      records: 7,
      lookup: {
        inFlight: 1,
        hits: 5,
        misses: 2,
        retries: 0,
        timeouts: 4,
        outages: 0,
        latency: { p50Ms: 5, p99Ms: null },
      },
    },
  ],
  tasks: [
    {
      partition: 2,
      state: 'waiting',
      epoch: 9,
      records: 900,
      lag: 4,
      pending: 0,
      gateClosedMs: 2100,
      trouble: { code: 'pipeline-failed', message: hostile },
    },
  ],
  moreTasks: 3,
  tallies: [],
  series: { recordsPerSecond: [0, 5, 10], lag: [null, 4, null, 8], inFlight: [0], deadLetters: [0, 3] },
}

test('a status becomes figures, lines and rows', async () => {
  const { byId, document } = await show(() => Promise.resolve(status))
  expect(document.title).toBe('reconcile: 12,346 records/s')
  expect(byId('phase')).toMatchObject({ textContent: 'running', className: 'state good' })
  expect(byId('about').textContent).toBe('embedded, for 1 min 23 s')
  expect(byId('committed').textContent).toBe('1,234,567')
  expect(byId('lag').textContent).toBe('unknown')
  expect(byId('epochs').textContent).toBe('9 epochs, 2 aborted, 1 restarted')
  expect(byId('reasons').textContent).toBe('malformed-json|Not JSON.|3')
  expect(byId('checkpoints').textContent).toBe('9|2|100|1.0 s|time|40 ms||||5.0 s')
  expect(byId('steps').children[1]?.textContent).toBe('asyncLookup|cassandra|7|5|2|1|5 ms|> 10 s|0|4|0')
  expect(byId('tasks').textContent).toBe(`2|waiting|9|900|4|0|2.1 s|pipeline-failed: ${hostile}`)
  expect(byId('more-tasks').textContent).toBe('And 3 more.')
  expect(byId('tallies').textContent).toBe('Nothing.')
})

test('a line has a gap where a value is not known', async () => {
  const { byId } = await show(() => Promise.resolve(status))
  const path = byId('lag-line').children[0]?.attributes.get('d')
  expect(path?.match(/M/g)).toHaveLength(2)
  expect(byId('rate-line').children[0]?.attributes.get('d')).toBe('M0.0 29.0L59.5 15.0L119.0 1.0')
})

test('what the job says is text', async () => {
  const { byId } = await show(() => Promise.resolve(status))
  expect(
    byId('steps')
      .children[0]?.children.map(({ textContent }) => textContent)
      .slice(0, 2),
  ).toEqual([hostile, hostile])
})

test('when there is no answer it says so, and goes on asking', async () => {
  let alive = true
  const answer = () => (alive ? Promise.resolve(status) : Promise.reject(new Error('gone')))
  const { byId, tick } = await show(answer)
  expect(byId('notice').textContent).toBe('')
  alive = false
  await tick()
  expect(byId('notice').textContent).toContain('No answer since')
  expect(byId('committed').textContent).toBe('1,234,567')
  alive = true
  await tick()
  expect(byId('notice').textContent).toBe('')
})

test('it can be paused', async () => {
  const { byId, tick, asked } = await show(() => Promise.resolve(status))
  byId('pause').click()
  await tick()
  expect(asked()).toBe(1)
  expect(byId('pause').textContent).toBe('Go on')
  byId('pause').click()
  expect(asked()).toBe(2)
})
