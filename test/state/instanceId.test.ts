import { cpSync, lstatSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { slotInstanceId } from '../../src/state/slot.ts'
import { seededRandom } from '../../src/testing/world/seededRandom.ts'

let directory: string
let slot: string

beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'tidemark-instance-'))
  slot = mkdtempSync(path.join(directory, 'slot-'))
})

afterEach(() => {
  rmSync(directory, { recursive: true, force: true })
})

const random = seededRandom(1)

describe('the instance id of a slot', () => {
  it('stays the same for every process that has the slot', async () => {
    const id = await slotInstanceId(slot, random, 'host-a')
    expect(id).toMatch(/^tidemark-[0-9a-f]{16}$/)
    expect(await slotInstanceId(slot, random, 'host-a')).toBe(id)
  })

  it('is another one in every slot', async () => {
    const other = mkdtempSync(path.join(directory, 'slot-'))
    expect(await slotInstanceId(other, random, 'host-a')).not.toBe(await slotInstanceId(slot, random, 'host-a'))
  })

  it('is made anew in a copy of the directory, which keeps its own from then on', async () => {
    const id = await slotInstanceId(slot, random, 'host-a')
    const copy = path.join(directory, 'copy')
    cpSync(slot, copy, { recursive: true })
    const copied = await slotInstanceId(copy, random, 'host-a')
    expect(copied).not.toBe(id)
    expect(await slotInstanceId(copy, random, 'host-a')).toBe(copied)
    expect(await slotInstanceId(slot, random, 'host-a')).toBe(id)
  })

  it('is made anew on another host, as of a volume that was copied or is shared', async () => {
    const id = await slotInstanceId(slot, random, 'host-a')
    expect(await slotInstanceId(slot, random, 'host-b')).not.toBe(id)
  })

  it('is made anew where the directory was moved', async () => {
    const id = await slotInstanceId(slot, random, 'host-a')
    const moved = path.join(directory, 'moved')
    renameSync(slot, moved)
    expect(await slotInstanceId(moved, random, 'host-a')).not.toBe(id)
  })

  it.each([
    ['torn', (text: string) => text.slice(0, 20)],
    ['emptied', () => ''],
    ['of another version', (text: string) => text.replace('"version":1', '"version":2')],
    ['no id that Kafka takes', (text: string) => text.replace(/tidemark-[0-9a-f]+/, 'a b')],
  ])('is made anew where its file is %s', async (_, damage) => {
    const id = await slotInstanceId(slot, random, 'host-a')
    const file = path.join(slot, 'instance.json')
    writeFileSync(file, damage(readFileSync(file, 'utf8')))
    const next = await slotInstanceId(slot, random, 'host-a')
    expect(next).toMatch(/^tidemark-[0-9a-f]{16}$/)
    expect(next).not.toBe(id)
    expect(await slotInstanceId(slot, random, 'host-a')).toBe(next)
  })

  it('rejects where nothing can be written', async () => {
    await expect(slotInstanceId(path.join(directory, 'nowhere'), random, 'host-a')).rejects.toMatchObject({
      code: 'ENOENT',
    })
  })

  it('is neither read nor written through a link', async () => {
    const id = await slotInstanceId(slot, random, 'host-a')
    const elsewhere = path.join(directory, 'elsewhere')
    renameSync(path.join(slot, 'instance.json'), elsewhere)
    const content = readFileSync(elsewhere, 'utf8')
    for (const name of ['instance.json', 'instance.json.next']) symlinkSync(elsewhere, path.join(slot, name))
    expect(await slotInstanceId(slot, random, 'host-a')).not.toBe(id)
    expect(readFileSync(elsewhere, 'utf8')).toBe(content)
    expect(lstatSync(path.join(slot, 'instance.json')).isFile()).toBe(true)
  })
})
