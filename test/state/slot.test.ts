import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { silentLogger } from '../../src/core/ports/logger.ts'
import { makeLevelDirectory } from '../../src/files/makeOwnDirectory.ts'
import { LevelStateStore } from '../../src/state/levelStateStore.ts'
import { takeSlot } from '../../src/state/slot.ts'
import { givenAway } from '../support/files/foreignUser.ts'

let directory: string
const log = silentLogger

beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'tidemark-slot-'))
})

afterEach(() => {
  rmSync(directory, { recursive: true, force: true })
})

/** Leaves a store of a task in a slot, as a process does that has committed this epoch. */
async function leaveStore(slot: { storeDirectory(task: string): Promise<string> }, epoch: number): Promise<void> {
  const store = new LevelStateStore(await slot.storeDirectory('source-0'), { log })
  await store.open()
  await store.apply([{ key: Buffer.from('k'), value: Buffer.from(`epoch ${String(epoch)}`) }], {
    epoch,
    nonce: 'n',
    lineage: 'l',
    generation: 0,
    changelogEnd: epoch,
    appliedAtMs: 0,
  })
  await store.close()
}

describe('a slot', () => {
  it('is the first free one, and is free again when it is closed', async () => {
    const first = await takeSlot(directory, null)
    const second = await takeSlot(directory, null)
    expect([first.number, second.number]).toEqual([0, 1])
    await first.close()
    const third = await takeSlot(directory, null)
    expect(third.number).toBe(0)
    await second.close()
    await third.close()
  })

  it('that is named and held is refused', async () => {
    const held = await takeSlot(directory, 3)
    await expect(takeSlot(directory, 3)).rejects.toMatchObject({ code: 'directory-in-use' })
    await held.close()
  })

  it('adopts the latest store of a task from slots that nobody holds, and none from a held one', async () => {
    const slots = [await takeSlot(directory, 0), await takeSlot(directory, 1), await takeSlot(directory, 2)] as const
    await leaveStore(slots[0], 5)
    await leaveStore(slots[1], 9)
    await slots[0].close()
    await slots[1].close()
    const held = await takeSlot(directory, 1)
    const adopted = await slots[2].storeDirectory('source-0')
    const store = new LevelStateStore(adopted, { log })
    await store.open()
    expect(store.position?.epoch).toBe(5)
    await store.close()
    await held.close()
    await slots[2].close()
  })

  it('adopts no damaged store, however late, and leaves it as it is', async () => {
    const slots = [await takeSlot(directory, 0), await takeSlot(directory, 1), await takeSlot(directory, 2)] as const
    await leaveStore(slots[0], 5)
    await leaveStore(slots[1], 9)
    const damaged = path.join(slots[1].directory, 'source-0')
    const file = path.join(damaged, readdirSync(damaged).find((name) => name.endsWith('.log')) ?? '')
    const bytes = readFileSync(file)
    bytes[20] = (bytes[20] ?? 0) ^ 1
    writeFileSync(file, bytes)
    await slots[0].close()
    await slots[1].close()
    const store = new LevelStateStore(await slots[2].storeDirectory('source-0'), { log })
    await store.open()
    expect(store.position?.epoch).toBe(5)
    await store.close()
    await slots[2].close()
    expect(readFileSync(file).equals(bytes)).toBe(true)
  })

  it('is taken although the database that is its lock is damaged', async () => {
    await (await takeSlot(directory, 0)).close()
    for (const name of readdirSync(path.join(directory, '0', 'slot'))) {
      if (name !== 'LOCK') writeFileSync(path.join(directory, '0', 'slot', name), 'damaged')
    }
    const slot = await takeSlot(directory, null)
    expect(slot.number).toBe(0)
    await slot.close()
  })

  it('is refused where it, its lock or a store in it is a link, in other slots too, and nothing is written through it', async () => {
    const elsewhere = path.join(directory, 'elsewhere')
    mkdirSync(elsewhere)
    const slot = await takeSlot(directory, 0)
    symlinkSync(elsewhere, path.join(slot.directory, 'source-0'))
    symlinkSync(elsewhere, path.join(directory, '1'))
    mkdirSync(path.join(directory, '2'))
    symlinkSync(elsewhere, path.join(directory, '2', 'slot'))
    const other = await takeSlot(directory, 3)
    await leaveStore(other, 5)
    await other.close()
    rmSync(path.join(other.directory, 'source-0', 'CURRENT'))
    symlinkSync(path.join(elsewhere, 'CURRENT'), path.join(other.directory, 'source-0', 'CURRENT'))
    const unsafe = { code: 'unsafe-path', message: expect.stringContaining('is a symbolic link') as unknown }
    await expect(slot.storeDirectory('source-0')).rejects.toMatchObject(unsafe)
    await expect(takeSlot(directory, 1)).rejects.toMatchObject(unsafe)
    await expect(takeSlot(directory, 2)).rejects.toMatchObject(unsafe)
    for (const linked of ['1', '2']) rmSync(path.join(directory, linked), { recursive: true })
    rmSync(path.join(slot.directory, 'source-0'))
    await expect(slot.storeDirectory('source-0')).rejects.toMatchObject(unsafe)
    await slot.close()
    expect(readdirSync(elsewhere)).toEqual([])
  })

  it("is refused where a store in it is another user's", async () => {
    const slot = await takeSlot(directory, 0)
    await leaveStore(slot, 5)
    const viewer = givenAway(path.join(slot.directory, 'source-0', 'CURRENT'))
    await expect(makeLevelDirectory(slot.directory, ['source-0'], viewer)).rejects.toMatchObject({
      code: 'unsafe-path',
      message: expect.stringMatching(/CURRENT belongs to user/),
    })
    await slot.close()
  })
})
