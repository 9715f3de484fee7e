import { isRight, type Either } from 'fp-ts/lib/Either.js'
import { kafkaSettings, type KafkaSettings } from '../../../src/connectors/kafka/config/kafkaSettings.ts'

/** Settings as a properties file gives them, all others at their defaults. */
export function decodeKafkaSettings(texts: Readonly<Record<string, string>>): KafkaSettings {
  const unknown = Object.keys(texts).filter((key) => !(key in kafkaSettings))
  if (unknown.length > 0) throw new Error(`unknown settings: ${unknown.join(', ')}`)
  const values = Object.entries(kafkaSettings).map(([key, spec]) => {
    const text = texts[key]
    if (text === undefined) return [key, spec.default?.value] as const
    const decoded: Either<string, unknown> = spec.decode(text)
    if (isRight(decoded)) return [key, decoded.right] as const
    throw new Error(`${key}: expected ${decoded.left}`)
  })
  return Object.fromEntries(values) as unknown as KafkaSettings
}
