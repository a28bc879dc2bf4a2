/** Told of the calls to secrets, which are billed one by one. */
export interface SecretMeter {
  called(secret: string): void;
}
