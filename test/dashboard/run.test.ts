import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { resultOf, startProcess } from '../cli/cliProcess.ts'
import { parseScrape } from './scrape.ts'

const directory = mkdtempSync(join(tmpdir(), 'tidemark-dashboard-'))

afterAll(() => {
  rmSync(directory, { recursive: true, force: true })
})

function run(data: string, ...options: readonly string[]) {
  return startProcess(join(directory, data), ['src/cli/tidemark.js', 'run', 'jobs/reconcile.ts', ...options])
}

test('a run prints the address of its page, and the reconcile job shows there under its steps', async () => {
  const child = run('followed', '--follow', '--records', '500')
  const result = resultOf(child)
  let out = ''
  child.stdout.on('data', (data: Buffer) => {
    out += data.toString()
  })
  const page = /^Live page: (http:\/\/127\.0\.0\.1:\d+)$/m
  await expect.poll(() => out, { timeout: 15_000 }).toMatch(page)
  const address = page.exec(out)?.[1] ?? ''
  const scrape = async () => parseScrape(await (await fetch(`${address}/metrics`)).text())
  await expect.poll(async () => (await scrape()).value('checkpoint_commits'), { timeout: 15_000 }).toBeGreaterThan(3)
  const scraped = await scrape()
  expect(scraped.value('tidemark_source_records_total', { step: 'kafka-source' })).toBeGreaterThan(400)
  expect(scraped.value('tidemark_dead_letters_total', { code: 'malformed-json' })).toBeGreaterThan(0)
  expect(scraped.value('tidemark_lookup_hits_total', { step: 'asyncLookup' })).toBeGreaterThan(100)
  // Asked for at most every two seconds, so the first answer may be of the time before the commit.
  const lag = async () => (await scrape()).value('tidemark_lag_records', { topic: 'input-topic', partition: '3' })
  await expect.poll(lag, { timeout: 15_000 }).toBe(0)
  expect((await fetch(`${address}/readyz`)).status).toBe(200)
  child.kill('SIGTERM')
  expect(await result).toMatchObject({ code: 0, signal: null })
  await expect(fetch(`${address}/healthz`)).rejects.toThrow('fetch failed')
})

test('a chosen port that is taken stops the start with 2, before anything is made', async () => {
  const other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  const { port } = other.address() as AddressInfo
  const ended = await resultOf(run('taken', `--dashboard.port=${String(port)}`))
  other.close()
  expect(ended).toMatchObject({ code: 2, err: expect.stringContaining('port-unavailable') })
  expect(existsSync(join(directory, 'taken'))).toBe(false)
})

test('dashboard.port 0 is a run without a page', async () => {
  const { code, out } = await resultOf(run('none', '--dashboard.port=0', '--records', '100'))
  expect(code).toBe(0)
  expect(out).not.toContain('Live page')
})
