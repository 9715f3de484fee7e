import { expect, test } from 'vitest'
import { clusterDirectory } from '../../src/files/openDataDirectory.ts'

test.each([
  [null, 'kafka'],
  ['MkU3OEVBNTcwNTJENDM2Qg', 'MkU3OEVBNTcwNTJENDM2Qg'],
  ['-kU3OEVBNTcwNTJENDM2Q_', '-kU3OEVBNTcwNTJENDM2Q_'],
  ['redpanda.0c5f', 'redpanda.0c5f'],
])('a cluster with the id %j has the directory %s', (id, name) => {
  expect(clusterDirectory(id)).toBe(name)
})

test.each(['', '.', '..', '../../etc', '/etc', 'a/b', 'log', 'embedded', 'control', 'a\0b', 'ä', 'x'.repeat(129)])(
  'an id that is no plain name (%j) is no path',
  (id) => {
    expect(clusterDirectory(id)).toMatch(/^[0-9a-f]{22}$/)
  },
)
