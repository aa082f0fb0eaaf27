/**
 * The part of the WebAssembly interface this room uses. The compiler has it in the types of web
 * pages only, whose other globals have no place here.
 */
declare namespace WebAssembly {
  interface Memory {
    readonly buffer: ArrayBuffer;
  }
  interface Instance {
    readonly exports: Readonly<Record<string, unknown>>;
  }
  const Module: { new (bytes: Uint8Array): Module };
  const Instance: {
    new (
      module: Module,
      imports: Readonly<Record<string, Readonly<Record<string, unknown>>>>,
    ): Instance;
  };
  class RuntimeError extends Error {}
}
