import { spawnSync } from 'node:child_process'
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readOwnFile } from '../../src/files/ownership.ts'
import { replaceFile } from '../../src/files/replaceFile.ts'

let directory: string
let file: string
let victim: string

beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'tidemark-replace-'))
  file = path.join(directory, 'report.html')
  victim = path.join(directory, 'victim')
  writeFileSync(victim, 'precious', { mode: 0o644 })
})

afterEach(() => {
  rmSync(directory, { recursive: true, force: true })
})

describe('a file that is replaced', () => {
  it('is readable by its user alone, also where it was not before', async () => {
    writeFileSync(file, 'old', { mode: 0o644 })
    await replaceFile(file, 'new')
    expect(readFileSync(file, 'utf8')).toBe('new')
    expect(lstatSync(file).mode & 0o777).toBe(0o600)
  })

  it.each(['report.html', 'report.html.next'])('is not written through a link at %s', async (link) => {
    symlinkSync(victim, path.join(directory, link))
    await replaceFile(file, 'new', { durable: true })
    expect(readFileSync(victim, 'utf8')).toBe('precious')
    expect(lstatSync(file).isFile()).toBe(true)
    expect(readdirSync(directory).toSorted()).toEqual(['report.html', 'victim'])
  })

  it('takes the place of what a killed process has left half written', async () => {
    const dead = spawnSync(process.execPath, ['-e', '']).pid
    const left = ['report.html.next', `report.html.${String(dead)}-1.next`]
    const kept = [`report.html.${String(process.pid)}-0.next`, 'report.html.x.next', 'report.html.old']
    for (const name of [...left, ...kept]) writeFileSync(path.join(directory, name), 'ha')
    await replaceFile(file, 'whole')
    expect(readFileSync(file, 'utf8')).toBe('whole')
    expect(readdirSync(directory).toSorted()).toEqual(['report.html', ...kept, 'victim'].toSorted())
  })

  it('is one of those of several writers, whole', async () => {
    const texts = Array.from({ length: 20 }, (_, n) => String(n).repeat(10_000))
    await Promise.all(texts.map((text) => replaceFile(file, text)))
    expect(texts).toContain(readFileSync(file, 'utf8'))
  })

  it('is refused where a directory has its name', async () => {
    mkdirSync(file)
    await expect(replaceFile(file, 'new')).rejects.toThrow(/EISDIR/)
  })
})

describe('a file that is read', () => {
  it('is of this user, and of a bounded size', async () => {
    expect(await readOwnFile(victim, 8)).toBe('precious')
    expect(await readOwnFile(victim, 7)).toBeNull()
    expect(await readOwnFile(victim, 8, { user: 47_110 })).toBeNull()
    expect(await readOwnFile(file, 8)).toBeNull()
    expect(await readOwnFile(directory, 8)).toBeNull()
    symlinkSync(victim, file)
    expect(await readOwnFile(file, 8)).toBeNull()
  })
})
