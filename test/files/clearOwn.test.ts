import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { clearFile, clearLevelDirectory, clearLocalState } from '../../src/files/clearOwn.ts'
import { treeOf } from '../support/files/tree.ts'

let above: string
let directory: string

beforeEach(() => {
  above = mkdtempSync(path.join(tmpdir(), 'tidemark-clear-'))
  directory = path.join(above, 'embedded')
})

afterEach(() => {
  rmSync(above, { recursive: true, force: true })
})

function make(...names: readonly string[]): void {
  for (const name of names) {
    const file = path.join(directory, name)
    mkdirSync(path.dirname(file), { recursive: true })
    writeFileSync(file, 'x')
  }
}

describe('clearing', () => {
  it('removes the stores of all jobs, and the directories they were in', async () => {
    make('a/0/source-0/CURRENT', 'a/0/source-0/000005.ldb', 'a/0/source-1/LOG.old', 'b/0/source-0/MANIFEST-000002')
    expect(await clearLocalState(directory)).toEqual([])
    expect(treeOf(above)).toEqual({})
    expect(await clearLocalState(directory)).toEqual([])
  })

  it('leaves what is not its own where it is, and names it', async () => {
    const strange = ['notes.txt', 'a/0/source-0/notes.txt', 'a/0/readme', 'c/d/e/f/g']
    make('a/0/source-0/CURRENT', 'a/0/source-1/LOCK', ...strange)
    expect([...(await clearLocalState(directory))].toSorted()).toEqual(
      ['notes.txt', 'a/0/source-0/notes.txt', 'a/0/readme', 'c/d/e/f']
        .map((name) => path.join(directory, name))
        .toSorted(),
    )
    const files = Object.entries(treeOf(directory)).filter(([, what]) => what.startsWith('file'))
    expect(files.map(([name]) => name).toSorted()).toEqual(strange.toSorted())
  })

  it('follows no link', async () => {
    const elsewhere = path.join(above, 'elsewhere')
    mkdirSync(elsewhere)
    writeFileSync(path.join(elsewhere, 'CURRENT'), 'precious')
    make('a/0/source-0/LOG')
    symlinkSync(elsewhere, path.join(directory, 'a/0/source-1'))
    symlinkSync(path.join(elsewhere, 'CURRENT'), path.join(directory, 'a/0/source-0/CURRENT'))
    expect(await clearLocalState(directory)).toHaveLength(2)
    expect(readFileSync(path.join(elsewhere, 'CURRENT'), 'utf8')).toBe('precious')
  })

  it('keeps a directory among the files of a store', async () => {
    make('LOG', 'lost/CURRENT')
    expect(await clearLevelDirectory(directory)).toEqual([path.join(directory, 'lost')])
    expect(treeOf(directory)).toMatchObject({ 'lost/CURRENT': expect.anything() })
  })

  it('removes a file, and a link instead of what it points to', async () => {
    make('report', 'victim')
    symlinkSync(path.join(directory, 'victim'), path.join(directory, 'link'))
    mkdirSync(path.join(directory, 'place'))
    const file = (name: string): string => path.join(directory, name)
    expect(await clearFile(file('report'))).toEqual([])
    expect(await clearFile(file('link'))).toEqual([])
    expect(await clearFile(file('nothing'))).toEqual([])
    expect(await clearFile(file('place'))).toEqual([file('place')])
    expect(Object.keys(treeOf(directory))).toEqual(['place', 'victim'])
  })
})
