import { expect, test } from 'vitest'
import { WorkBudget } from '../../src/dashboard/workBudget.ts'

/** A thread whose work and sleep take time. */
function thread(share: number, burstMs: number) {
  let nowMs = 1_000
  let activeMs = 400
  let sleptMs = 0
  const budget = new WorkBudget({
    clock: { monotonicMs: () => nowMs },
    workedMs: () => activeMs,
    sleep: (ms) => {
      sleptMs += ms
      nowMs += ms
    },
    share,
    burstMs,
  })
  return {
    budget,
    work: (ms: number) => {
      nowMs += ms
      activeMs += ms
    },
    rest: (ms: number) => {
      nowMs += ms
    },
    slept: () => sleptMs,
    now: () => nowMs - 1_000,
  }
}

test('a thread that never rests works its share of the time and no more', () => {
  const { budget, work, slept, now } = thread(0.05, 100)
  while (now() < 100_000) {
    work(1)
    budget.pay()
  }
  expect((now() - slept()) / now()).toBeCloseTo(0.05, 2)
})

test('what comes at once after a rest is done at once', () => {
  const { budget, work, rest, slept } = thread(0.05, 100)
  for (let round = 0; round < 5; round += 1) {
    for (let piece = 0; piece < 90; piece += 1) {
      work(1)
      budget.pay()
    }
    rest(2_000)
  }
  expect(slept()).toBe(0)
})

test('a long rest saves up no more than that', () => {
  const { budget, work, rest, slept } = thread(0.05, 100)
  rest(3_600_000)
  budget.pay()
  work(100)
  budget.pay()
  expect(slept()).toBeLessThan(10)
  work(10)
  budget.pay()
  expect(slept()).toBe(100)
})

test('a sleep takes a tenth of a second, and what is still to be made up for waits for the next one', () => {
  const { budget, work, slept } = thread(0.05, 100)
  work(115)
  budget.pay()
  expect(slept()).toBe(100)
  budget.pay()
  expect(slept()).toBe(200)
})

test('a long piece of work is made up for by no more than what may come at once', () => {
  const { budget, work, slept } = thread(0.05, 10)
  work(10_000)
  for (let piece = 0; piece < 100; piece += 1) budget.pay()
  expect(slept()).toBe(200)
})
