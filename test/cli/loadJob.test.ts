import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { loadJob, pathFrom } from '../../src/cli/loadJob.ts'

let directory: string
beforeAll(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'tidemark-load-'))
})
afterAll(() => {
  rmSync(directory, { recursive: true })
})

function file(name: string, content: string): string {
  writeFileSync(path.join(directory, name), content)
  return name
}

test('a job file gives its job, under the path that a person would write', async () => {
  const job = `export default { name: 'a', pipeline() {}, [Symbol.for('tidemark.job')]: true }`
  const loaded = await loadJob(file('good.mjs', job), directory)
  expect(loaded).toMatchObject({ path: 'good.mjs', job: { name: 'a' } })
})

test.each([
  ['missing.mjs', null, 'There is no job file missing.mjs'],
  ['no-default.mjs', 'export const a = 1', 'exports no job'],
  ['other.mjs', 'export default { name: "a" }', 'exports no job'],
])('%s is refused with a reason', async (name, content, reason) => {
  if (content !== null) file(name, content)
  await expect(loadJob(name, directory)).rejects.toMatchObject({
    code: 'job-not-found',
    message: expect.stringContaining(reason),
  })
})

test('a file that throws, or imports what is not there, says so', async () => {
  await expect(loadJob(file('throws.mjs', 'throw new Error("at import")'), directory)).rejects.toMatchObject({
    code: 'job-not-loaded',
    message: expect.stringContaining('cannot be loaded: at import'),
  })
  await expect(loadJob(file('import.mjs', 'import "./nowhere.mjs"'), directory)).rejects.toMatchObject({
    code: 'job-not-loaded',
  })
})

test('a directory is no job file', async () => {
  mkdirSync(path.join(directory, 'jobs'))
  await expect(loadJob('jobs', directory)).rejects.toMatchObject({ code: 'job-not-found' })
})

test('a path outside of the working directory is shown in full', () => {
  expect(pathFrom('/a/b/jobs/x.ts', '/a/b')).toBe('jobs/x.ts')
  expect(pathFrom('/c/x.ts', '/a/b')).toBe('/c/x.ts')
})
