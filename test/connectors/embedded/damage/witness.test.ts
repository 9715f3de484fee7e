import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { readWitness, Witness } from '../../../../src/connectors/embedded/damage/witness.ts'
import { temporaryDirectory } from '../temporaryDirectory.ts'

let directory: Awaited<ReturnType<typeof temporaryDirectory>>

beforeEach(async () => {
  directory = await temporaryDirectory()
})
afterEach(() => directory.remove())

/** Of this process. */
const openFiles = (): number => readdirSync('/dev/fd').length

test('a witness that several writes begin at the same time is opened once', async () => {
  const file = join(directory.path, 'log.witness')
  const storeId = '0123456789abcdef'
  const witness = new Witness(file, { storeId, sequence: 7, closed: true }, 7)
  await witness.identify(storeId)
  const before = openFiles()
  await Promise.all(Array.from({ length: 8 }, () => witness.begin()))
  expect(openFiles()).toBe(before + 1)
  witness.written(2)
  expect(await readWitness(file)).toEqual({ storeId, sequence: 9, closed: false })
  await witness.close(true)
  expect(openFiles()).toBe(before)
  expect(await readWitness(file)).toEqual({ storeId, sequence: 9, closed: true })
})
