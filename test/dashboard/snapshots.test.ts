import { expect, test } from 'vitest'
import {
  answerMaxAgeMs,
  restPerCost,
  Snapshots,
  stuckMs,
  urgentMaxAgeMs,
  type Reply,
} from '../../src/dashboard/snapshots.ts'
import { ManualClock } from '../../src/testing/world/manualClock.ts'

function setUp() {
  const clock = new ManualClock()
  const asked: string[] = []
  const snapshots = new Snapshots({
    clock,
    urgent: new Set(['/healthz']),
    ask: (path) => {
      asked.push(path)
    },
  })
  const answer = (path: string, body: string, costMs = 0): void => {
    snapshots.answered({ path, reply: { status: 200, type: 'text/plain', body }, costMs })
  }
  return { clock, asked, snapshots, answer }
}

const text = ({ body }: Reply): string => Buffer.from(body).toString()

test('a thousand who ask at once are one question, and share the bytes of its answer', async () => {
  const { snapshots, asked, answer } = setUp()
  const all = Array.from({ length: 1_000 }, () => snapshots.get('/metrics'))
  expect(asked).toEqual(['/metrics'])
  answer('/metrics', 'm')
  const replies = await Promise.all(all)
  expect(new Set(replies.map(({ body }) => body)).size).toBe(1)
  expect(text(await snapshots.get('/metrics'))).toBe('m')
  expect(asked).toHaveLength(1)
})

test('ten seconds of asking are twenty questions, and two hundred where the answer costs nothing', async () => {
  const { clock, snapshots, asked, answer } = setUp()
  for (let ms = 0; ms < 10_000; ms += 10) {
    for (const path of ['/metrics', '/healthz']) {
      const before = asked.length
      const reply = snapshots.get(path)
      if (asked.length > before) answer(path, String(ms))
      await reply
    }
    await clock.advance(10)
  }
  expect(asked.filter((path) => path === '/metrics')).toHaveLength(10_000 / answerMaxAgeMs)
  expect(asked.filter((path) => path === '/healthz')).toHaveLength(10_000 / urgentMaxAgeMs)
})

test('an answer that took long to make is shown for longer', async () => {
  const { clock, snapshots, asked, answer } = setUp()
  void snapshots.get('/metrics')
  answer('/metrics', 'dear', 100)
  await clock.advance(100 * restPerCost - 1)
  expect(text(await snapshots.get('/metrics'))).toBe('dear')
  expect(asked).toHaveLength(1)
  await clock.advance(1)
  void snapshots.get('/metrics')
  expect(asked).toHaveLength(2)
  answer('/metrics', 'new')
})

test('a job that does not answer is unavailable after five seconds, and is not asked again', async () => {
  const { clock, snapshots, asked, answer } = setUp()
  const first = snapshots.get('/healthz')
  await clock.advance(stuckMs - 1_000)
  const second = snapshots.get('/healthz')
  await clock.advance(1_000)
  expect(await first).toMatchObject({ status: 503, body: expect.stringContaining('has not answered for 5 s') })
  expect(await second).toMatchObject({ status: 503 })
  expect(await clock.runUntil(snapshots.get('/healthz'))).toMatchObject({ status: 503 })
  expect(asked).toEqual(['/healthz'])
  answer('/healthz', 'ok')
  expect(text(await snapshots.get('/healthz'))).toBe('ok')
  expect(clock.pending).toBe(0)
})
