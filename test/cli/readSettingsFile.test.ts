import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { readSettingsFile } from '../../src/cli/commandContext.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'tidemark-settings-'))
})
afterEach(() => {
  rmSync(directory, { recursive: true })
})

test('application.properties of the directory is read when it is there', () => {
  expect(readSettingsFile(null, directory)).toBeNull()
  writeFileSync(path.join(directory, 'application.properties'), 'data.dir=/x\n')
  const file = readSettingsFile(null, directory)
  expect(file?.name).toBe('application.properties')
  expect(file?.properties.values.get('data.dir')).toBe('/x')
})

test('a file that is asked for replaces it, and must be there', () => {
  writeFileSync(path.join(directory, 'application.properties'), 'data.dir=/x\n')
  writeFileSync(path.join(directory, 'other.properties'), 'data.dir=/y\n')
  expect(readSettingsFile('other.properties', directory)?.properties.values.get('data.dir')).toBe('/y')
  expect(() => readSettingsFile('none.properties', directory)).toThrow(
    expect.objectContaining({ code: 'invalid-setting', details: { path: 'none.properties' } }),
  )
})
