/* Rust programs take their randomness from ProcessPrng of this library, which Wine has from version 9 on only; without it they do not even start.
 * `tests/windows` builds this stand-in for an older Wine. */
#include <windows.h>
#include <ntsecapi.h>

__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE bytes, SIZE_T length) { return RtlGenRandom(bytes, (ULONG)length); }

BOOL WINAPI DllMain(HINSTANCE library, DWORD reason, LPVOID reserved) { return TRUE; }
