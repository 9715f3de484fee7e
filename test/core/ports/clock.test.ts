import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { messageOf } from '../../../src/core/errors.ts'
import { atMost, systemClock, within } from '../../../src/core/ports/clock.ts'

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

it('what ends in time is what it ends with, and leaves neither a timer nor a listener', async () => {
  const never = (): never => {
    throw new Error('it was in time')
  }
  const stopping = new AbortController()
  const removed = vi.spyOn(stopping.signal, 'removeEventListener')
  expect(await within(systemClock, 3_000, Promise.resolve('done'), never, stopping.signal)).toBe('done')
  await expect(within(systemClock, 3_000, Promise.reject(new Error('failed')), never)).rejects.toThrow('failed')
  expect([vi.getTimerCount(), removed.mock.calls.length]).toEqual([0, 1])
})

it('what does not end in time, or before its signal, is what is made or thrown then', async () => {
  const pending = new Promise<string>(() => undefined)
  const waited = within(systemClock, 3_000, pending, () => 'late')
  await vi.advanceTimersByTimeAsync(3_000)
  expect(await waited).toBe('late')
  const failing = within(systemClock, 3_000, pending, () => {
    throw new Error('too late')
  }).catch(messageOf)
  await vi.advanceTimersByTimeAsync(3_000)
  expect(await failing).toBe('too late')
  const stopping = new AbortController()
  const stopped = within(systemClock, 3_000, pending, () => 'stopped', stopping.signal)
  stopping.abort()
  expect(await stopped).toBe('stopped')
  expect(await within(systemClock, 3_000, pending, () => 'stopped', stopping.signal)).toBe('stopped')
  expect(vi.getTimerCount()).toBe(0)
})
