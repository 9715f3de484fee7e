import { appendFile, mkdir, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { readSteadily } from '../../src/leveldb/readSteadily.ts'
import { removeStore, temporaryDirectory } from '../support/damage/randomStore.ts'

let place: string
let beside: string

beforeEach(async () => {
  const directory = await temporaryDirectory()
  place = path.join(directory, 'store')
  beside = path.join(directory, 'beside')
  await mkdir(place)
  await writeFile(path.join(place, '000001.log'), 'a')
})
afterEach(() => removeStore(place))

/** Damaged each time; `change` comes while it is read. */
function readings(change: (count: number) => Promise<void>): {
  count: number
  readonly read: () => Promise<number>
} {
  const reading = {
    count: 0,
    read: async (): Promise<number> => {
      reading.count += 1
      await change(reading.count)
      return reading.count
    },
  }
  return reading
}

test.each([
  ['a file grows', () => appendFile(path.join(place, '000001.log'), 'b')],
  ['a file is gone', () => rm(path.join(place, '000001.log'))],
  ['a file is new', () => writeFile(path.join(place, '000002.log'), 'b')],
  ['the file beside it is written', () => writeFile(beside, 'b')],
  ['all of it is gone', () => rm(place, { recursive: true })],
] as const)('what is damaged is read again when %s meanwhile', async (_what, change) => {
  const reading = readings((count) => (count === 1 ? change() : Promise.resolve()))
  expect(await readSteadily([place, beside], reading.read, () => false)).toBe(2)
})

test('what is whole is taken as it is, and so is damage where nothing has changed but what LevelDB notes', async () => {
  const changing = readings(() => appendFile(path.join(place, '000001.log'), 'b'))
  expect(await readSteadily([place, beside], changing.read, () => true)).toBe(1)
  const noting = readings(() => appendFile(path.join(place, 'LOG'), 'b'))
  expect(await readSteadily([place, beside], noting.read, () => false)).toBe(1)
})

test('what changes each time is not taken', async () => {
  const reading = readings(() => appendFile(path.join(place, '000001.log'), 'b'))
  expect(await readSteadily([place, beside], reading.read, () => false)).toBeNull()
  expect(reading.count).toBe(5)
})
