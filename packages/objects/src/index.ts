export * from "./errors.ts";
export * from "./folder.ts";
export { checkKey, checkPrefix, compareKeys, isKey, mostKeyBytes } from "./keys.ts";
export * from "./store.ts";
