import * as E from 'fp-ts/lib/Either.js'
import type * as t from 'io-ts'
import { textCodec } from './settingCodecs.ts'

/** What a job may be called, in words: the name stands in topics, paths and transactional ids. */
export const jobNameRule = '1 to 100 of the characters A-Z a-z 0-9 . _ -, and not dots alone'

/** Whether a job can have this name, in its file and where it is deployed. */
export function isJobName(name: string): boolean {
  return /^[A-Za-z0-9._-]{1,100}$/.test(name) && !/^\.+$/.test(name)
}

export const jobName: t.Type<string, string, string> = textCodec(
  jobNameRule,
  (input) => (isJobName(input.trim()) ? E.right(input.trim()) : E.left(jobNameRule)),
  (name) => name,
)
