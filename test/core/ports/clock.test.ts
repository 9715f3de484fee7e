import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { atMost, systemClock } from '../../../src/core/ports/clock.ts'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

const dayMs = 86_400_000

it('a timer of more than the 24 days that Node takes comes when it is due, and not at once', () => {
  let called = 0
  systemClock.after(60 * dayMs, () => {
    called += 1
  })
  vi.advanceTimersByTime(59 * dayMs)
  expect(called).toBe(0)
  vi.advanceTimersByTime(dayMs)
  expect(called).toBe(1)
  expect(vi.getTimerCount()).toBe(0)
})

it('a duration is not what the wall clock says, which is set now and then', () => {
  const wallMs = systemClock.now()
  const beganMs = systemClock.monotonicMs()
  vi.setSystemTime(wallMs - dayMs)
  expect(systemClock.now()).toBe(wallMs - dayMs)
  expect(systemClock.monotonicMs() - beganMs).toBe(0)
  vi.advanceTimersByTime(1_000)
  expect(systemClock.monotonicMs() - beganMs).toBe(1_000)
})

it('a timer that never comes can be cancelled', () => {
  const timer = systemClock.after(Infinity, () => undefined)
  vi.advanceTimersByTime(100 * dayMs)
  timer.cancel()
  expect(vi.getTimerCount()).toBe(0)
})

it('waiting for a promise and no longer than so long leaves no timer that would keep the process alive', async () => {
  await atMost(systemClock, 3_000, Promise.resolve())
  await atMost(systemClock, 3_000, Promise.reject(new Error('no matter')))
  expect(vi.getTimerCount()).toBe(0)
  const waited = atMost(systemClock, 3_000, new Promise(() => undefined))
  await vi.advanceTimersByTimeAsync(3_000)
  await waited
})
