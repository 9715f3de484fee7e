import { describe, expect, it } from 'vitest'
import { Deadlines, type Timed } from '../../src/lookup/deadlines.ts'
import { ManualClock } from '../../src/testing/world/manualClock.ts'

class Item implements Timed<Item> {
  readonly name: string
  dueAt = 0
  earlier: Item | null = null
  later: Item | null = null

  constructor(name: string) {
    this.name = name
  }
}

function deadlines(due: (item: Item) => void = () => undefined) {
  const clock = new ManualClock()
  const seen: string[] = []
  const list = new Deadlines<Item>(clock, 100, (item) => {
    seen.push(`${item.name}@${String(clock.monotonicMs())}`)
    due(item)
  })
  return { clock, list, seen }
}

describe('Deadlines', () => {
  it('calls each item back when its time has come, with one timer', async () => {
    const { clock, list, seen } = deadlines()
    for (const name of ['a', 'b', 'c']) {
      list.add(new Item(name), clock.monotonicMs())
      await clock.advance(10)
    }
    expect(clock.pending).toBe(1)
    await clock.advance(200)
    expect(seen).toEqual(['a@100', 'b@110', 'c@120'])
    expect([clock.pending, list.oldest]).toEqual([0, null])
  })

  it.each([0, 1, 2])('does not call back item %i, which was removed', async (removed) => {
    const { clock, list, seen } = deadlines()
    const items = ['a', 'b', 'c'].map((name) => new Item(name))
    for (const item of items) list.add(item, clock.monotonicMs())
    const [item] = items.splice(removed, 1)
    if (item === undefined) throw new Error('no item')
    list.remove(item)
    list.remove(item)
    await clock.advance(100)
    expect(seen).toEqual(items.map(({ name }) => `${name}@100`))
  })

  it('calls an item back earlier that has less time left, wherever it stands', async () => {
    const { clock, list, seen } = deadlines()
    list.add(new Item('a'), clock.monotonicMs())
    await clock.advance(10)
    for (const [name, leftMs] of [
      ['b', 95],
      ['c', 40],
      ['d', 0],
      ['e', 1_000],
      ['f', 90],
    ] as const) {
      list.add(new Item(name), clock.monotonicMs(), leftMs)
    }
    expect(clock.pending).toBe(1)
    await clock.advance(200)
    expect(seen).toEqual(['d@10', 'c@50', 'f@100', 'a@100', 'b@105', 'e@110'])
    expect([clock.pending, list.oldest]).toEqual([0, null])
  })

  it('takes an item in again after it was due, and calls nothing back after its close', async () => {
    const { clock, list, seen } = deadlines((item) => {
      if (seen.length === 3) list.close()
      else list.add(item, clock.monotonicMs())
    })
    list.add(new Item('a'), 0)
    await clock.advance(1_000)
    expect(seen).toEqual(['a@100', 'a@200', 'a@300'])
    expect(clock.pending).toBe(0)
  })
})
