import { afterAll, beforeAll, expect, test } from 'vitest'
import { UserProject } from './userProject.ts'

let project: UserProject
beforeAll(() => {
  project = new UserProject()
})
afterAll(() => {
  project.remove()
})

const job = (name: string, tapped: string): string => `
import { of, delay, tap } from 'rxjs'
import { defineJob, fromKafka, toKafkaTransactional } from 'tidemark'
async function charge(): Promise<void> {
  throw new Error('the card was refused')
}
const late = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
export default defineJob({
  name: '${name}',
  pipeline: (context) => {
    const sink = toKafkaTransactional(context, { topic: '${name}' })
    return fromKafka(context, { topic: 'in', groupId: '${name}' }).pipe(
      tap((record) => { ${tapped} }),
      sink,
    )
  },
})
`

beforeAll(async () => {
  await project.tidemark(['topic', 'write', 'in'], { stdin: 'a\nb\n' })
})

test('a promise that nobody waits for and that rejects stops the job, before anything is committed', async () => {
  project.write('job.ts', job('atOnce', 'void charge()'))
  const { code, err, out } = await project.tidemark(['run', 'job.ts'])
  expect(code).toBe(1)
  expect(err).toContain('Something failed that no epoch waits for: the card was refused, at charge (job.ts:5:9)')
  expect(err).toContain('code: unawaited-work')
  expect(err).toContain('await it in the lookup function of asyncLookup')
  expect(err).not.toMatch(/^\s+at .*:\d+:\d+\)?$/m)
  expect(out).not.toContain('a second')
  expect((await project.tidemark(['topic', 'read', 'atOnce'])).out).toBe('')
})

test.each([
  ['rejects', 'void late(1_500).then(charge)', 'unawaited-work', 'the card was refused, at'],
  ['uses its epoch', 'of(record).pipe(delay(1_500), sink).subscribe()', 'stale-context', 'outlived its epoch'],
])('what %s after the run is one line of the log, and the exit code is 1', async (how, tapped, code, sentence) => {
  const name = how.replaceAll(' ', '-')
  project.write('job.ts', job(name, tapped))
  const result = await project.tidemark(['run', 'job.ts', '--log.format=json'])
  expect(result.code).toBe(1)
  expect(result.out).toContain('a second')
  const lines = result.err.split('\n').filter((line) => line.includes('"level":"error"'))
  expect(lines).toHaveLength(1)
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({
    level: 'error',
    error: { code, message: expect.stringContaining(sentence) },
  })
})

test.each([
  ['pretty', /^\[[\d:.]+\] WARN: CareWarning \(C7\): refused as \*\*\*$/m],
  ['json', /^\{"level":"warn","time":"[^"]+","msg":"CareWarning \(C7\): refused as \*\*\*"\}$/m],
])('a warning of Node is one line of the log (%s), without secrets', async (format, line) => {
  project.write('warns.ts', `process.emitWarning('refused as warned-of-17', 'CareWarning', 'C7')\n${job('warns', '')}`)
  const flags = ['--kafka.sasl.password=warned-of-17', `--log.format=${format}`]
  const { code, err } = await project.tidemark(['plan', 'warns.ts', ...flags])
  expect([code, err]).toEqual([0, expect.stringMatching(line)])
  expect(err).not.toContain('warned-of-17')
})
