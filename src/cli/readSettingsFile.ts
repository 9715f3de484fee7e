import { readFileSync } from 'node:fs'
import path from 'node:path'
import { parseProperties } from '../codecs/properties.ts'
import { shownPath, unreadable } from '../core/settingFile.ts'
import type { SettingsFile } from '../runtime/settings/settingsFile.ts'

const defaultName = 'application.properties'

/**
 * Reads `configPath`, or `application.properties` in `directory`, where null means that there is none. Throws
 * `invalid-setting` for a `configPath` that cannot be read.
 */
export function readSettingsFile(configPath: string | null, directory: string): SettingsFile | null {
  const name = configPath ?? defaultName
  try {
    return { name, properties: parseProperties(readFileSync(path.resolve(directory, name), 'utf8')) }
  } catch (error) {
    if (configPath === null && (error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw unreadable(`The settings file ${shownPath(name)}`, error, { path: shownPath(name) })
  }
}
